"""The one process that writes: it hands runs to workers, records what they report, and publishes."""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, singledispatchmethod
from pathlib import Path
from uuid import uuid4

from linstudy.estimate.estimates import Estimate
from linstudy.execute.crew import Attempt, Crew, Hand
from linstudy.execute.display import Display
from linstudy.execute.help import Helpers
from linstudy.execute.records import Records
from linstudy.execute.schedule import Schedule, alone
from linstudy.execute.summary import Summary
from linstudy.facts import CHECKPOINT, Divided, Ending, Progress, Report
from linstudy.history import artifacts_by_role, fingerprints_by_role, is_complete, resumption
from linstudy.plan import Plan, Run, fusion_key
from linstudy.store.snapshot import Publisher
from linstudy.text.amounts import rough_size
from linstudy.workers.contract import Lost, Workers
from linstudy.workers.messages import ArtifactReference, Assignment, Garbled, Hello, Interrupt, Leaving, Start, Stop
from linstudy.workers.signals import Interrupts

GRACE = 60.0
"""Seconds that workers have to stop at a safe point."""

LOSSES = 2
"""How often a run is begun again whose worker was lost elsewhere: more, and it has probably ended its worker itself."""


@dataclass(frozen=True)
class Options:
    """How to execute, none of which changes a result.

    Attributes:
        again: The runs that are begun from nothing, also where they are done.
        grace: Seconds that workers have to stop at a safe point before they are killed.
        scratch: Where workers put files that exceed memory; beside the artifacts if None.
        estimates: What runs take, by id, as far as is known: which is started first, and where.
    """

    again: Collection[str] = ()
    fuse: bool = True
    grace: float = GRACE
    scratch: Path | None = None
    estimates: Mapping[str, Estimate] = field(default_factory=dict)


class Coordinator:
    """Executes a plan.

    Args:
        made_from: Gives what all attempts record of where and from what they are made; asked once, by the first.

    Attributes:
        interrupts: What asks for an end; see `Interrupts.collect`.
    """

    def __init__(
        self,
        plan: Plan,
        records: Records,
        workers: Workers,
        publisher: Publisher,
        display: Display,
        options: Options,
        made_from: Callable[[], Mapping[str, object]] = dict,
    ):
        self.plan, self.records, self.publisher = plan, records, publisher
        self.display, self.options = display, options
        self.crew = Crew(workers)
        self.helpers = Helpers(self.crew, self._assignment, display.note)
        self.interrupts = Interrupts()
        complete = {run_id for run_id, run in plan.runs.items() if is_complete(run, records.of(run_id))}
        done = complete.difference(options.again)
        diverged = {run_id for run_id in done if records.of(run_id).status == "diverged"}
        key = fusion_key if options.fuse else alone
        self.schedule = Schedule(plan, done, diverged, key=key, estimates=options.estimates)
        self._made_from = cache(made_from)
        self._stop_at = 0.0
        self._losses: Counter[str] = Counter()
        self._begun: set[str] = set()
        self._enlarged: set[str] = set()
        """Runs that died of memory and wait, or have waited, for a worker with more."""
        self._lost: set[str] = set()
        self._owing: set[str] = set()
        """Runs of which a file was found lost while they ran: they are made again when they have ended."""

    def run(self) -> Summary:
        """Run what is missing, until all is done or an end is asked for."""
        self.display.begin(len(self.plan.runs), self.schedule.left)
        while self._is_unfinished():
            waiting = self.schedule.count("pending") + self.helpers.count_wanted()
            if not self.interrupts.first and (text := self.crew.fill(waiting)):
                self.display.note(text)
            self._assign()
            for hand, event in self.crew.arrivals():
                self._receive(event, hand)
            self.crew.enforce_deadlines()
            self.records.flush_if_due()
            self._drop_rejected()
            self.publish()
        self.records.flush()
        self._drop_rejected()
        return self._summary()

    def close(self) -> None:
        """End every worker; what one was at is recorded as interrupted."""
        for hand in self.crew:
            if hand.attempts:
                hand.worker.kill()
                self._end_all(hand, Ending("interrupted", "the program that ran it ended"))
        self.crew.close()

    def publish(self, *, force: bool = False) -> None:
        """Publish what is new; where that fails it is said once, and tried again later."""
        known = self.publisher.problem
        self.publisher.publish(force=force)
        if self.publisher.problem not in ("", known):
            self.display.note(self.publisher.problem)

    def _drop_rejected(self) -> None:
        """Runs whose facts the ledger did not take have failed; what else they report changes nothing."""
        for rejected in self.records.take_rejected():
            for hand in self.crew:
                if attempt := hand.attempts.pop(rejected.attempt, None):
                    seconds = time.monotonic() - attempt.began
                    self.display.finished(attempt.run, "failed", rejected.reason, seconds)
                    if not hand.attempts:
                        hand.kill(rejected.reason)  # it computes what nobody will record
            if self.schedule.states[rejected.run_id] != "running" or not self.crew.is_at(rejected.run_id):
                self.schedule.finish(rejected.run_id, "failed")

    def _is_unfinished(self) -> bool:
        if self.interrupts.first:
            self._stop_workers()
            return any(hand.attempts for hand in self.crew)
        return self.schedule.count("running", "pending") > 0

    def _stop_workers(self) -> None:
        if not self._stop_at:
            self._stop_at = time.monotonic() + self.options.grace
            asked = {"SIGINT": "Ctrl-C"}.get(self.interrupts.first, self.interrupts.first)
            self.display.note(
                f"{asked}: stopping at the next safe point, within {self.options.grace:g} s, and "
                "publishing. Ctrl-C again stops at once"
            )
            self.crew.tell(Stop())
        elif self.interrupts.insists:
            self._kill_all("stopped at once by a second Ctrl-C")
        elif time.monotonic() > self._stop_at:
            self._kill_all(f"did not stop within {self.options.grace:g} s, and was killed")

    def _kill_all(self, reason: str) -> None:
        for hand in self.crew:
            if hand.attempts and not hand.end:
                self.display.note(reason)
                hand.kill(reason)

    def _assign(self) -> None:
        """Give those that are idle what fits, the smallest first; what fits none is for one with the most memory."""
        largest = self.crew.largest()
        refused: set[float] = set()
        for hand in sorted(self.crew.idle(), key=lambda hand: hand.share.capacity):
            room = hand.share.capacity if hand.share.capacity < largest else math.inf
            if self.interrupts.first or room in refused:
                continue
            if runs := self.schedule.start_next(self.crew.count_free(), room):
                self._start(hand, runs)
            else:
                refused.add(room)
        self._share_work()

    def _share_work(self) -> None:
        """Let workers that have nothing to do help others, until a run is ready."""
        self.helpers.keep_only([number for hand in self.crew for number in hand.attempts])
        if self.helpers.count_wanted() and not self.interrupts.first:
            if ready := self.schedule.count_ready():
                self.helpers.release(ready)
            else:
                self.helpers.send()

    def _start(self, hand: Hand, runs: Sequence[Run]) -> None:
        group = uuid4().hex[:16] if len(runs) > 1 else None
        log = self.records.log_name(runs[0])
        environment = {
            **self._made_from(),
            "device": hand.device,
            **({"host": hand.host} if hand.host else {}),
            "fused_group": group,
            "versions": hand.versions,
            "log": f"{self.records.log_folder}/{log}",
        }
        attempts = [Attempt(self._begin(run, environment), run, group) for run in runs]
        hand.attempts = {attempt.number: attempt for attempt in attempts}
        hand.is_idle = False
        self.display.started(runs)
        hand.worker.send(Start(log, tuple(map(self._assignment, attempts))))

    def _begin(self, run: Run, environment: dict[str, object]) -> int:
        """With `again`, the first attempt of this execution begins from nothing; later ones go on from it."""
        again = run.run_id in self.options.again and run.run_id not in self._begun
        self._begun.add(run.run_id)
        return self.records.begin(run, environment, again=again)

    def _assignment(self, attempt: Attempt) -> Assignment:
        run = attempt.run
        roles = [("self", run.run_id), *((need.role, need.run_id) for need in run.needs)]
        stored = {role: self.records.of(run_id) for role, run_id in roles}
        references = tuple(
            ArtifactReference(role, own.name, own.epoch, own.path, own.sha256)
            for (role, *_), own in artifacts_by_role(stored).items()
        )
        how = resumption(run, stored["self"])
        spec = run.spec.model_dump(mode="json")
        loaded = fingerprints_by_role(stored)
        may_be_helped = not self.schedule.has_ready() and self.crew.count_places() > 1
        return Assignment(
            attempt.number, run.run_id, spec, run.source, how.kept, how.legs, references, loaded, may_be_helped
        )

    @singledispatchmethod
    def _receive(self, event: object, hand: Hand) -> None:
        raise TypeError(type(event).__name__)

    @_receive.register
    def _(self, event: Hello, hand: Hand) -> None:
        self.crew.greet(hand, event)

    @_receive.register
    def _(self, event: Interrupt, hand: Hand) -> None:
        self.interrupts.note(event.signal)

    @_receive.register
    def _(self, event: Leaving, hand: Hand) -> None:
        hand.is_leaving = True
        hand.worker.send(Stop())

    @_receive.register
    def _(self, event: Garbled, hand: Hand) -> None:
        if event.is_gap:  # what it reports is no longer whole
            hand.kill(f"the worker's messages are damaged: {event.text}. Something in it writes to their channel")
        else:
            self.records.note_garbled(event.text)

    @_receive.register
    def _(self, event: Report, hand: Hand) -> None:
        if hand.helps is not None and hand.helps.number == event.attempt:
            return self.helpers.take_ending(hand, *[fact for fact in event.facts if isinstance(fact, Ending)])
        attempt = hand.attempts.get(event.attempt)
        if attempt is None or hand.end:  # over already; its worker may be free again
            hand.is_idle |= not hand.attempts and any(isinstance(fact, Ending) for fact in event.facts)
            return
        for fact in event.facts:
            if isinstance(fact, Progress):
                self.display.progressed(attempt.run, fact.fraction, fact.text)
            elif isinstance(fact, Divided):
                self.helpers.hear(attempt, fact)
            elif isinstance(fact, Ending):
                return self._take_ending(hand, attempt, event, fact)
        self.records.record(attempt.run, event)

    def _take_ending(self, hand: Hand, attempt: Attempt, report: Report, ending: Ending) -> None:
        """The last report of an attempt."""
        self.records.record(attempt.run, Report(report.attempt, tuple(f for f in report.facts if f is not ending)))
        if ending.outcome == "interrupted" and hand.is_leaving and not self.interrupts.first:
            self._begin_elsewhere(hand, attempt, "stopped before the end of its worker's place")
        else:
            self._end(hand, attempt, self._check_ending(attempt.run, ending))
        hand.is_idle = not hand.attempts

    def _check_ending(self, run: Run, ending: Ending) -> Ending:
        """A run is done only if every checkpoint that is asked of it is there, or a file of it was lost meanwhile."""
        stored = self.records.of(run.run_id).after(ending)
        if ending.outcome != "done" or is_complete(run, stored) or run.run_id in self._owing:
            return ending
        missing = sorted(set(run.checkpoints) - stored.epochs(CHECKPOINT))
        return Ending("failed", f"it ended without the checkpoints of epochs {', '.join(map(str, missing))}")

    @_receive.register
    def _(self, event: Lost, hand: Hand) -> None:
        reason = hand.end or event.reason
        self.helpers.lose(hand)
        if self.interrupts.first:
            self.crew.dismiss(hand)
            return self._end_all(hand, Ending("interrupted", reason))
        if note := self.crew.lose(hand, event):
            self.display.note(note)
        printed = f"\n{event.last_words}" if event.last_words and not hand.end else ""
        may_lie_in_place = event.is_remote and not hand.end
        ending = Ending("failed", f"{reason}{printed}", for_memory=event.for_memory and not hand.end)
        for attempt in tuple(hand.attempts.values()):
            is_elsewhere = may_lie_in_place and not self._can_have_more(hand, attempt, ending)
            if is_elsewhere and self._losses[attempt.run.run_id] < LOSSES:
                self._losses[attempt.run.run_id] += 1
                self._begin_elsewhere(hand, attempt, f"{reason}{printed}")
            else:
                self._end(hand, attempt, ending)

    def _begin_elsewhere(self, hand: Hand, attempt: Attempt, reason: str) -> None:
        """Let a run wait again whose worker was lost with its place, or leaves it."""
        del hand.attempts[attempt.number]
        run = attempt.run
        self.records.record(run, Report(attempt.number, (Ending("interrupted", reason),)))
        self.schedule.reopen(run.run_id)
        self.display.moved(run, reason)

    def _end_all(self, hand: Hand, ending: Ending) -> None:
        for attempt in tuple(hand.attempts.values()):
            self._end(hand, attempt, ending)

    def _end(self, hand: Hand, attempt: Attempt, ending: Ending) -> None:
        del hand.attempts[attempt.number]
        run = attempt.run
        self.records.record(run, Report(attempt.number, (ending,)))
        if self._waits_again(run, ending):
            self.schedule.reopen(run.run_id)
            self.display.postponed(run, ending.error)
        elif self._can_have_more(hand, attempt, ending):
            self._begin_with_more(hand, run, ending)
        elif attempt.group and ending.outcome == "failed":  # perhaps by another's fault, or by their number
            self.schedule.part(run.run_id)
            self.display.parted(run, ending.error)
        else:
            blocked = self.schedule.finish(run.run_id, ending.outcome)
            self.display.finished(run, ending.outcome, ending.error, time.monotonic() - attempt.began, blocked)

    def _can_have_more(self, hand: Hand, attempt: Attempt, ending: Ending) -> bool:
        """Whether a run that died of memory is tried once more, where there is more of it; a group is parted first."""
        is_first = ending.for_memory and attempt.run.run_id not in self._enlarged
        return is_first and not attempt.group and self.crew.has_more(hand.share)

    def _begin_with_more(self, hand: Hand, run: Run, ending: Ending) -> None:
        """Let a run wait for a worker with more memory than it had, as all of its setting do from now on."""
        assert hand.share.memory is not None
        self._enlarged.add(run.run_id)
        self.schedule.require_memory(run.setting_id, hand.share.memory + 1)
        self.schedule.reopen(run.run_id)
        self.display.moved(run, ending.error, f"a worker with more memory than {rough_size(hand.share.memory)}")

    def _waits_again(self, run: Run, ending: Ending) -> bool:
        """Whether a run waits for a lost file: that of another run which makes it again, or one of its own.

        Each file is made again once in an execution.
        """
        if ending.outcome == "done":
            owes = run.run_id in self._owing and not is_complete(run, self.records.of(run.run_id))
            self._owing.discard(run.run_id)
            return owes
        new = set(ending.damaged) - self._lost
        self._lost |= new
        owners = self.records.forget(new) & self.plan.runs.keys()
        for owner in owners - {run.run_id}:
            if self.schedule.states[owner] == "running":
                self._owing.add(owner)
            elif self.schedule.states[owner] == "done":
                self.schedule.reopen(owner)
        waiting = any(self.schedule.states[need.run_id] in ("pending", "running") for need in run.needs)
        return bool(ending.damaged) and (run.run_id in owners or waiting)

    def _summary(self) -> Summary:
        count = self.schedule.count
        return Summary(
            total=len(self.plan.runs),
            already=self.schedule.already,
            done=count("done") - self.schedule.already,
            diverged=count("diverged"),
            failed=count("failed"),
            blocked=count("blocked"),
            interrupted=bool(self.interrupts.first),
        )
