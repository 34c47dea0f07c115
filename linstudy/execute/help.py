"""Workers that have nothing to do help with attempts that are divided."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from linstudy.execute.crew import Attempt, Crew, Hand
from linstudy.facts import Divided, Ending
from linstudy.workers.contract import Worker
from linstudy.workers.messages import Assignment, Help, Release

LOSSES = 3
"""How many helpers of an attempt may be lost, before it goes on with those that it has."""


@dataclass
class _Call:
    """An attempt that asks for help.

    Attributes:
        parts: That nobody has begun, as was last told.
        refused: The workers that cannot help, such as those of another kind.
        losses: Helpers that were lost.
    """

    attempt: Attempt
    token: str
    parts: int
    refused: set[Worker] = field(default_factory=set)
    losses: int = 0


class Helpers:
    """Sends workers to help, and lets them go.

    Args:
        assignment: What a worker is told of an attempt.
        note: Called with what is to be said.
    """

    def __init__(self, crew: Crew, assignment: Callable[[Attempt], Assignment], note: Callable[[str], object]):
        self._crew, self._assignment, self._note = crew, assignment, note
        self._calls: dict[int, _Call] = {}

    def hear(self, attempt: Attempt, fact: Divided) -> None:
        """An attempt says how much of it nobody has begun."""
        call = self._calls.setdefault(attempt.number, _Call(attempt, fact.token, 0))
        call.parts = fact.parts

    def count_wanted(self) -> int:
        """How many workers there may be to help, with those that do."""
        return sum(hand.helps is not None for hand in self._crew) + sum(map(self._parts, self._calls.values()))

    def send(self) -> None:
        """Let those that have nothing to do help; each attempt gets one before another gets two."""
        for hand in self._crew.idle():
            calls = [call for call in self._calls.values() if self._parts(call) and hand.worker not in call.refused]
            if not calls:
                continue
            call = min(calls, key=self._count_helpers)
            hand.helps, hand.is_released, hand.is_idle = call.attempt, False, False
            hand.worker.send(Help(self._assignment(call.attempt), call.token))

    def release(self, count: int) -> None:
        """Let so many helpers go, at their next block, with those that were let go already."""
        helping = [hand for hand in self._crew if hand.helps is not None]
        for hand in sorted(helping, key=lambda hand: not hand.is_released)[:count]:
            self._release(hand)

    def keep_only(self, attempts: Collection[int]) -> None:
        """Let go those that help with attempts which are over."""
        for number in self._calls.keys() - set(attempts):
            del self._calls[number]
        for hand in self._crew:
            if hand.helps is not None and hand.helps.number not in self._calls:
                self._release(hand)

    def take_ending(self, hand: Hand, ending: Ending) -> None:
        """One has ended its help."""
        assert hand.helps is not None
        call = self._calls.get(hand.helps.number)
        hand.helps, hand.is_idle = None, True
        if call is None:
            return
        if ending.outcome == "done":
            call.parts = 0  # until its worker says that there are more
        elif ending.outcome == "failed":
            if not call.refused:
                run = call.attempt.run.run_id
                self._note(f"{run}: a worker{f' on {hand.host}' * bool(hand.host)} cannot help with it: {ending.error}")
            call.refused.add(hand.worker)

    def lose(self, hand: Hand) -> None:
        """One is gone, perhaps while it helped."""
        if hand.helps is not None and (call := self._calls.get(hand.helps.number)):
            call.losses += 1

    def _parts(self, call: _Call) -> int:
        return call.parts if call.losses < LOSSES else 0

    def _count_helpers(self, call: _Call) -> int:
        return sum(hand.helps is call.attempt for hand in self._crew)

    def _release(self, hand: Hand) -> None:
        if not hand.is_released:
            hand.is_released = True
            hand.worker.send(Release())
