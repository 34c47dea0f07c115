"""The one process that writes: it hands runs to workers, records what they tell, and publishes."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import singledispatchmethod
from pathlib import Path
from queue import Empty, Queue
from types import FrameType
from uuid import uuid4

from linstudy.execute.display import Display
from linstudy.execute.messages import (
    ArtifactReference,
    Assignment,
    Finished,
    Hello,
    Message,
    OfRun,
    Outcome,
    Progressed,
    RunCommand,
)
from linstudy.execute.process import Inbox, Lost, WorkerProcess, start_worker
from linstudy.execute.provenance import git_state, host
from linstudy.execute.recording import Journal, Recorder
from linstudy.execute.schedule import Schedule, alone
from linstudy.execute.summary import Summary
from linstudy.plan import Plan, Run, fusion_key
from linstudy.spec.errors import LinstudyError
from linstudy.spec.points import Study
from linstudy.store.database import adoption_note
from linstudy.store.ledger import Ledger
from linstudy.store.rows import RunRow, StudyRow
from linstudy.store.snapshot import Publisher
from linstudy.store.workspace import Workspace

TICK = 0.2
"""Seconds between looks at the clock and at Ctrl-C."""


@dataclass(frozen=True)
class Options:
    """How to execute, none of which changes a result."""

    environments: Sequence[dict[str, str]] = ({},)
    data_folder: Path | None = None
    again: bool = False
    fuse: bool = True


def execute(study: Study, plan: Plan, workspace: Workspace, display: Display, options: Options) -> Summary:
    """Run what is missing of a plan, and publish.

    Raises:
        LinstudyError: If another process writes to the workspace, or no worker can be started.
    """
    with workspace.lock():
        if note := adoption_note(workspace):
            display.note(note)
        return _execute(study, plan, workspace, display, options)


def _execute(study: Study, plan: Plan, workspace: Workspace, display: Display, options: Options) -> Summary:
    with Ledger.open(workspace) as ledger:
        ledger.recover()
        ledger.register(
            StudyRow(study.name, study.variant, study.title, study.text), [_row(run) for run in plan.runs.values()]
        )
        publisher = Publisher(ledger, workspace.results)
        publisher.publish(force=True)
        coordinator = _Coordinator(study, plan, workspace, display, options, ledger, publisher)
        try:
            with coordinator.stopping_on_signals():
                return coordinator.run()
        finally:
            coordinator.close()
            publisher.publish(force=True)


def _row(run: Run) -> RunRow:
    needs = tuple((need.role, need.run_id) for need in run.needs)
    return RunRow(run.run_id, run.kind, run.spec.model_dump(mode="json"), needs, run.source)


class _Coordinator:
    def __init__(
        self,
        study: Study,
        plan: Plan,
        workspace: Workspace,
        display: Display,
        options: Options,
        ledger: Ledger,
        publisher: Publisher,
    ):
        self.plan, self.workspace, self.display, self.options = plan, workspace, display, options
        self.ledger, self.publisher = ledger, publisher
        key = fusion_key if options.fuse else alone
        self.schedule = Schedule(plan, ledger.statuses(), ledger.stored_epochs(), again=options.again, key=key)
        self.import_folders = (study.folder.resolve(), Path.cwd())
        self.git = git_state(study.folder)
        self.inbox: Inbox = Queue()
        self.workers: list[WorkerProcess] = []
        self.idle: list[WorkerProcess] = []
        self.journal = Journal(ledger)
        self.recorders: dict[str, Recorder] = {}
        self.interrupts = 0
        self.told_to_stop = False

    def run(self) -> Summary:
        if self.git.note:
            self.display.note(self.git.note)
        self.display.begin(len(self.plan.runs), self.schedule.already)
        waiting = self.schedule.count("pending")
        for environment in self.options.environments[:waiting]:
            self._start_worker(environment)
        while self._unfinished():
            self._assign()
            for worker, message in self._arrived():
                self._receive(message, worker)
            self.journal.flush_if_due()
            self.publisher.publish()
        return self._summary()

    def close(self) -> None:
        """End every worker; what one was at is recorded as interrupted."""
        for worker in self.workers:
            if worker.runs:
                worker.kill()
                self._end_all(worker, "interrupted", "the coordinator ended")
            worker.close()

    @contextmanager
    def stopping_on_signals(self) -> Iterator[None]:
        """Ctrl-C, or a scheduler's SIGTERM, asks the workers to stop; a second one kills them."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.interrupts += 1

        previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _unfinished(self) -> bool:
        if self.interrupts and not self.told_to_stop:
            self._tell_to_stop()
        if self.interrupts > 1:
            for worker in self.workers:
                worker.kill()
        if self.interrupts:
            return any(worker.runs for worker in self.workers)
        return self.schedule.count("running", "pending") > 0

    def _tell_to_stop(self) -> None:
        self.told_to_stop = True
        self.display.note("stopping at the next safe point, and publishing; Ctrl-C again stops at once")
        for worker in self.workers:
            worker.ask_to_stop()

    def _start_worker(self, environment: dict[str, str]) -> None:
        self.workspace.logs.mkdir(parents=True, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-worker{len(self.workers)}.log"
        cache = {
            "JAX_COMPILATION_CACHE_DIR": str(self.workspace.compile_cache.resolve()),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # a network starts with dozens of small programs
        }
        folder = self.workspace.artifacts.absolute()
        log = self.workspace.logs / name
        self.workers.append(start_worker(folder, log, {**cache, **environment}, self.import_folders, self.inbox))

    def _arrived(self) -> Iterator[tuple[WorkerProcess, Message | Lost]]:
        """What has been told; a pause if it is nothing, an end after a while if it is much."""
        deadline = time.monotonic() + TICK
        with suppress(Empty):
            yield self.inbox.get(timeout=TICK)
            while time.monotonic() < deadline:
                yield self.inbox.get_nowait()

    def _assign(self) -> None:
        while self.idle and not self.interrupts:
            free = sum(not worker.runs for worker in self.workers)  # those that are starting, too
            runs = self.schedule.start_next(free)
            if not runs:
                return
            self._start(self.idle.pop(), runs)

    def _start(self, worker: WorkerProcess, runs: Sequence[Run]) -> None:
        environment = {
            "host": host(),
            "device": worker.device,
            "versions": worker.versions,
            "git_commit": self.git.commit,
            "dirty": self.git.dirty,
        }
        group = uuid4().hex[:16] if len(runs) > 1 else None
        for run in runs:
            self.recorders[run.run_id] = Recorder(self.journal, run.run_id, environment, group)
        self.display.started(runs)
        folder = self.options.data_folder
        worker.start(RunCommand(tuple(map(self._assignment, runs)), str(folder) if folder else None))

    def _assignment(self, run: Run) -> Assignment:
        roles = [("self", run.run_id)] * (not self.options.again) + [(need.role, need.run_id) for need in run.needs]
        references = tuple(
            ArtifactReference(role, artifact.name, artifact.epoch, artifact.path, artifact.sha256)
            for role, run_id in roles
            for artifact in self.ledger.artifacts(run_id)
        )
        return Assignment(run.run_id, run.spec.model_dump(mode="json"), run.checkpoints, references)

    @singledispatchmethod
    def _receive(self, message: OfRun, worker: WorkerProcess) -> None:
        self.recorders[message.run_id].record(message)

    @_receive.register
    def _(self, message: Hello, worker: WorkerProcess) -> None:
        worker.device, worker.versions = message.device, message.versions
        self.idle.append(worker)

    @_receive.register
    def _(self, message: Progressed, worker: WorkerProcess) -> None:
        self.display.progressed(self.plan.runs[message.run_id], message.fraction, message.text)

    @_receive.register
    def _(self, message: Finished, worker: WorkerProcess) -> None:
        self._end(worker, message)
        if not worker.runs:
            self.idle.append(worker)

    @_receive.register
    def _(self, message: Lost, worker: WorkerProcess) -> None:
        self.workers.remove(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        if worker.runs:
            self._end_all(worker, "interrupted" if self.interrupts else "failed", f"{message} ({worker.log})")
        elif not worker.device and not self.interrupts:
            raise LinstudyError(
                f"a worker could not start: {message}. Its log, {worker.log}, ends:\n{worker.last_words()}"
            )
        if self.schedule.count("pending") and not self.interrupts:
            self._start_worker(worker.environment)

    def _end_all(self, worker: WorkerProcess, outcome: Outcome, error: str) -> None:
        for run_id in tuple(worker.runs):
            self._end(worker, Finished(run_id, outcome, error))

    def _end(self, worker: WorkerProcess, message: Finished) -> None:
        worker.runs.remove(message.run_id)
        recorder = self.recorders.pop(message.run_id)
        recorder.record(message)
        run = self.plan.runs[message.run_id]
        if recorder.group and message.outcome == "failed":  # perhaps by another's fault, or by their number
            self.schedule.part(run.run_id)
            self.display.parted(run, message.error)
            return
        self.schedule.finish(run.run_id, message.outcome)
        self.display.finished(run, message.outcome, message.error, time.monotonic() - recorder.started)

    def _summary(self) -> Summary:
        count = self.schedule.count
        return Summary(
            total=len(self.plan.runs),
            already=self.schedule.already,
            done=count("done") - self.schedule.already,
            diverged=count("diverged"),
            failed=count("failed"),
            blocked=count("blocked"),
            interrupted=self.interrupts > 0,
        )
