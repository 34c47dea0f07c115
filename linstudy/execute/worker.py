"""A worker process: takes a run, or several that go together, one command after another, and tells what they tell."""

import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial, singledispatch
from pathlib import Path
from queue import Queue
from typing import NamedTuple, TextIO

import numpy as np
from pydantic import TypeAdapter

from linstudy.execute.messages import (
    ArtifactReference,
    Assignment,
    Chosen,
    Finished,
    Hello,
    Loaded,
    Message,
    OfRun,
    Outcome,
    Progressed,
    Restart,
    Row,
    RunCommand,
    StopCommand,
    Stored,
    parse,
    send,
)
from linstudy.resources import Resources
from linstudy.runs.events import (
    Chose,
    Diverged,
    Emit,
    Event,
    Fingerprint,
    Measured,
    Produced,
    Progress,
    Restarted,
    Stopped,
)
from linstudy.runs.job import Job
from linstudy.runs.kinds import KINDS, TOGETHER
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import RunSpec
from linstudy.store.artifacts import ArtifactStore

SECONDS_BETWEEN_PROGRESS = 0.1
"""A person sees no more of it, and a short epoch costs less than telling of it."""

_SPEC: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)


def main(artifacts: Path) -> None:
    """Serve the coordinator on standard input and output until the input ends."""
    output = _private_output()
    commands: Queue[RunCommand] = Queue()
    stopping = threading.Event()
    threading.Thread(target=_listen, args=(commands, stopping), daemon=True).start()
    tell = partial(send, output)
    tell(_hello())
    store = ArtifactStore(artifacts)
    resources = Resources(scratch=store.scratch)
    while True:
        _serve(commands.get(), store, resources, stopping, tell)


def _private_output() -> TextIO:
    """Standard output for messages alone: what a model prints goes to standard error."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return private


def _listen(commands: "Queue[RunCommand]", stopping: threading.Event) -> None:
    for line in sys.stdin:
        command = parse(line)
        if isinstance(command, StopCommand):
            stopping.set()
        elif isinstance(command, RunCommand):
            commands.put(command)
    os._exit(0)  # the coordinator is gone, and a worker must not outlive it


def _hello() -> Hello:
    import importlib.metadata

    import jax

    device = jax.devices()[0]
    names = ("linstudy", "jax", "equinox", "optax", "numpy", "scipy")
    return Hello(f"{device.platform}: {device.device_kind}", {name: importlib.metadata.version(name) for name in names})


def _serve(
    command: RunCommand,
    store: ArtifactStore,
    resources: Resources,
    stopping: threading.Event,
    tell: Callable[[Message], None],
) -> None:
    attempts = [_Attempt(run.run_id, store, tell) for run in command.runs]
    try:
        jobs = [_job(run, command, store, resources, stopping) for run in command.runs]
        _compute(jobs, [attempt.emit for attempt in attempts])
        ending = _Ending("done")
    except Stopped:
        ending = _Ending("interrupted", "stopped on request")
    except LinstudyError as error:
        ending = _Ending("failed", str(error))
    except Exception as error:
        ending = _Ending("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
    for attempt in attempts:
        attempt.end(ending)


def _compute(jobs: Sequence[Job], emits: Sequence[Emit]) -> None:
    [kind] = {job.spec.kind for job in jobs}
    if len(jobs) == 1:
        KINDS[kind](jobs[0], emits[0])
    else:
        TOGETHER[kind](jobs, emits)


def _job(
    run: Assignment, command: RunCommand, store: ArtifactStore, resources: Resources, stopping: threading.Event
) -> Job:
    return Job(
        spec=_SPEC.validate_python(run.spec, strict=False),
        checkpoints=tuple(run.checkpoints),
        artifacts={(item.role, item.name, item.epoch): _loader(store, item) for item in run.artifacts},
        data_folder=Path(command.data_folder) if command.data_folder else None,
        resources=resources,
        stop=stopping.is_set,
    )


class _Ending(NamedTuple):
    outcome: Outcome
    error: str | None = None
    traceback: str | None = None


class _Attempt:
    """What one run tells, in messages."""

    def __init__(self, run_id: str, store: ArtifactStore, tell: Callable[[OfRun], None]):
        self._run_id, self._store, self._tell = run_id, store, tell
        self._ended = False
        self._progressed = -math.inf

    def emit(self, event: Event) -> None:
        if isinstance(event, Diverged):
            self.end(_Ending("diverged"))
        elif not (isinstance(event, Progress) and self._too_soon(event)):
            self._tell(_message(event, self._run_id, self._store))

    def end(self, ending: _Ending) -> None:
        """Tell the outcome, once: of several that go together, one can end before the others."""
        if not self._ended:
            self._ended = True
            self._tell(Finished(self._run_id, *ending))

    def _too_soon(self, event: Progress) -> bool:
        if event.fraction < 1 and time.monotonic() - self._progressed < SECONDS_BETWEEN_PROGRESS:
            return True
        self._progressed = time.monotonic()
        return False


def _loader(store: ArtifactStore, item: ArtifactReference) -> Callable[[], dict[str, np.ndarray]]:
    return lambda: store.load(item.path, sha256=item.sha256)


@singledispatch
def _message(event: Event, run_id: str, store: ArtifactStore) -> OfRun:
    raise TypeError(type(event).__name__)


@_message.register
def _(event: Measured, run_id: str, store: ArtifactStore) -> OfRun:
    value = np.asarray(event.value, dtype=np.float64).tolist()
    return Row(run_id, event.metric.name, value, event.split, event.epoch, event.step, event.label)


@_message.register
def _(event: Produced, run_id: str, store: ArtifactStore) -> OfRun:
    saved = store.save(event.name, event.arrays, epoch=event.epoch)
    return Stored(run_id, saved.name, str(saved.path), saved.sha256, saved.bytes, saved.epoch)


@_message.register
def _(event: Progress, run_id: str, store: ArtifactStore) -> OfRun:
    return Progressed(run_id, event.fraction, event.text)


@_message.register
def _(event: Fingerprint, run_id: str, store: ArtifactStore) -> OfRun:
    return Loaded(run_id, event.value)


@_message.register
def _(event: Chose, run_id: str, store: ArtifactStore) -> OfRun:
    return Chosen(run_id, event.what, event.how)


@_message.register
def _(event: Restarted, run_id: str, store: ArtifactStore) -> OfRun:
    return Restart(run_id, event.epoch)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
