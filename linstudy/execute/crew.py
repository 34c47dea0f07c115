"""The workers of an execution, and what each is at."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, Queue

from linstudy import __version__
from linstudy.plan import Run
from linstudy.spec.errors import LinstudyError
from linstudy.workers.contract import Event, Inbox, Lost, Share, Worker, Workers
from linstudy.workers.messages import Command, Hello

TICK = 0.2
"""Seconds between looks at the clock and at Ctrl-C."""

SECONDS_TO_START = 300.0
"""For a worker to say that it is ready."""

STARTS = 3
"""How often each worker may fail to start, in a row, before no more is started."""

SECONDS_WITHOUT_ROOM = 10.0
"""Before a worker is started again for which there was no room."""

MOST_AT_ONCE = 64
"""Workers whose ends are waited for."""


@dataclass(frozen=True)
class Attempt:
    """One try at a run; `group` names those that were started together with it."""

    number: int
    run: Run
    group: str | None
    began: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class Hand:
    """A worker, and what it is at."""

    worker: Worker
    share: Share
    started: float = field(default_factory=time.monotonic)
    device: str = ""
    host: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    attempts: dict[int, Attempt] = field(default_factory=dict)
    helps: Attempt | None = None
    """The attempt of another worker that it helps with."""
    is_released: bool = False
    """It was told that its help is enough."""
    is_idle: bool = False
    is_leaving: bool = False
    """Its place is about to end: nothing more is started there."""
    end: str = ""
    """Why it is to end, where that is this program's own decision."""

    def greet(self, hello: Hello) -> None:
        """It is ready, unless it is another linstudy."""
        if (theirs := hello.versions.get("linstudy", __version__)) != __version__:
            self.kill(f"linstudy is {theirs} there and {__version__} here. Install the same")
        else:
            self.device, self.host, self.versions, self.is_idle = hello.device, hello.host, hello.versions, True

    def kill(self, reason: str) -> None:
        """End it now."""
        self.end = reason
        self.worker.kill()


class Crew:
    """Starts workers in all places, and starts them again."""

    def __init__(self, workers: Workers):
        self._workers = workers
        self._inbox: Inbox = Queue()
        self._hands: dict[Worker, Hand] = {}
        self._failed_starts = 0
        self._starts_again = 0.0
        """When a start is tried again for which there was no room."""

    def __iter__(self) -> Iterator[Hand]:
        return iter(self._hands.values())

    def fill(self, waiting: int) -> str:
        """Start workers where there are none, for runs that wait; beside others only while not too many fail.

        Those with the most memory come first. One that has more than all there are is started for any run that waits.

        Returns:
            What is to be said, if there is no room for another process; empty if others told the same.

        Raises:
            LinstudyError: If there is no room for one, and none is there.
        """
        if not waiting or time.monotonic() < self._starts_again:
            return ""
        vacant = sorted(self._workers.places(), key=lambda share: -share.capacity)
        if self._hands and self._failed_starts >= STARTS * len(vacant):
            return ""
        for hand in self:
            if hand.share in vacant:
                vacant.remove(hand.share)
        is_larger = bool(vacant) and vacant[0].capacity > self.largest()
        for share in vacant[: max(is_larger, waiting - self.count_free())]:
            try:
                worker = self._workers.start(share, self._inbox)
            except OSError as error:  # too many processes, or files, for this user
                if not self._hands:
                    raise LinstudyError(f"no worker could be started: {error}") from error
                is_first, self._starts_again = not self._starts_again, time.monotonic() + SECONDS_WITHOUT_ROOM
                return f"no more workers could be started: {error}. It is tried again" if is_first else ""
            self._hands[worker] = Hand(worker, share)
        return ""

    def greet(self, hand: Hand, hello: Hello) -> None:
        """One is ready."""
        hand.greet(hello)
        if hand.device:
            self._failed_starts = 0

    def dismiss(self, hand: Hand) -> None:
        """One is gone, as it was to be."""
        del self._hands[hand.worker]
        hand.worker.close()

    def close(self) -> None:
        """Let all go, at once: each may take some seconds to end."""
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            for hand in self:
                pool.submit(hand.worker.close)

    def lose(self, hand: Hand, lost: Lost) -> str:
        """One is gone. That it could not start is no reason to end what others are at.

        Returns:
            What is to be said of it; empty if it did start, or others told the same.

        Raises:
            LinstudyError: If it could not start and none is there. One that would be elsewhere is tried again first.
        """
        self.dismiss(hand)
        if hand.device:
            return ""
        self._failed_starts += 1
        text = f"a worker could not start: {hand.end or lost.reason}. It printed:\n{lost.last_words}"
        is_hopeless = not lost.is_remote or self._failed_starts >= STARTS * max(1, len(self._workers.places()))
        if is_hopeless and not any(other.device for other in self):
            raise LinstudyError(text)
        return text if self._failed_starts == 1 else ""

    def arrivals(self) -> Iterator[tuple[Hand, Event]]:
        """What has arrived; a pause if it is nothing, an end after a while if it is much."""
        deadline = time.monotonic() + TICK
        with suppress(Empty):
            arrival = self._inbox.get(timeout=TICK)
            while True:
                worker, event = arrival
                if hand := self._hands.get(worker):
                    yield hand, event
                if time.monotonic() >= deadline:
                    return
                arrival = self._inbox.get_nowait()

    def tell(self, command: Command) -> None:
        """Send a command to each."""
        for hand in self:
            hand.worker.send(command)

    def enforce_deadlines(self) -> None:
        """End those that are not ready in time."""
        for hand in self:
            if not hand.device and not hand.end and time.monotonic() - hand.started > SECONDS_TO_START:
                hand.kill(f"the worker was not ready within {SECONDS_TO_START:g} s")

    def idle(self) -> list[Hand]:
        """Those that are ready for something to do."""
        return [hand for hand in self if hand.is_idle and not hand.end and not hand.is_leaving]

    def count_places(self) -> int:
        """How many workers there can be."""
        return len(self._workers.places())

    def count_free(self) -> int:
        """How many have nothing to do, with those that are starting."""
        return sum(not hand.attempts and not hand.is_leaving for hand in self)

    def largest(self) -> float:
        """The bytes of memory of the worker that has the most."""
        return max((hand.share.capacity for hand in self if not hand.is_leaving), default=0.0)

    def has_more(self, share: Share) -> bool:
        """Whether there is a place with more memory than this one."""
        return any(place.capacity > share.capacity for place in self._workers.places())

    def is_at(self, run_id: str) -> bool:
        """Whether one makes an attempt at a run."""
        return any(attempt.run.run_id == run_id for hand in self for attempt in hand.attempts.values())
