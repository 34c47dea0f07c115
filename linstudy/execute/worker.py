"""A worker process: takes runs one after another, and tells what they tell."""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial, singledispatch
from pathlib import Path
from queue import Queue
from typing import TextIO

import numpy as np
from pydantic import TypeAdapter

from linstudy.execute.messages import (
    ArtifactReference,
    Finished,
    Hello,
    Loaded,
    Message,
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
from linstudy.runs.events import Diverged, Event, Fingerprint, Measured, Produced, Progress, Restarted, Stopped
from linstudy.runs.job import Job
from linstudy.runs.kinds import KINDS
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import RunSpec
from linstudy.store.artifacts import ArtifactStore

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
    while True:
        _attempt(commands.get(), store, stopping, tell)


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


def _attempt(
    command: RunCommand, store: ArtifactStore, stopping: threading.Event, tell: Callable[[Message], None]
) -> None:
    outcome: list[Outcome] = ["done"]

    def emit(event: Event) -> None:
        if isinstance(event, Diverged):
            outcome[0] = "diverged"
        elif (message := _message(event, store)) is not None:
            tell(message)

    try:
        spec = _SPEC.validate_python(command.spec, strict=False)
        job = Job(
            spec=spec,
            checkpoints=tuple(command.checkpoints),
            artifacts={(item.role, item.name, item.epoch): _loader(store, item) for item in command.artifacts},
            data_folder=Path(command.data_folder) if command.data_folder else None,
            stop=stopping.is_set,
        )
        KINDS[spec.kind](job, emit)
        tell(Finished(outcome[0]))
    except Stopped:
        tell(Finished("interrupted", "stopped on request"))
    except LinstudyError as error:
        tell(Finished("failed", str(error)))
    except Exception as error:
        tell(Finished("failed", f"{type(error).__name__}: {error}", traceback.format_exc()))


def _loader(store: ArtifactStore, item: ArtifactReference) -> Callable[[], dict[str, np.ndarray]]:
    return lambda: store.load(item.path, sha256=item.sha256)


@singledispatch
def _message(event: Event, store: ArtifactStore) -> Message | None:
    raise TypeError(type(event).__name__)


@_message.register
def _(event: Measured, store: ArtifactStore) -> Message:
    value = np.asarray(event.value, dtype=np.float64).tolist()
    return Row(event.metric.name, value, event.split, event.epoch, event.step, event.label)


@_message.register
def _(event: Produced, store: ArtifactStore) -> Message:
    saved = store.save(event.name, event.arrays, epoch=event.epoch)
    return Stored(saved.name, str(saved.path), saved.sha256, saved.bytes, saved.epoch)


@_message.register
def _(event: Progress, store: ArtifactStore) -> Message:
    return Progressed(event.fraction, event.text)


@_message.register
def _(event: Fingerprint, store: ArtifactStore) -> Message:
    return Loaded(event.value)


@_message.register
def _(event: Restarted, store: ArtifactStore) -> Message:
    return Restart(event.epoch)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
