"""What a worker does for its coordinator: attempts at runs, and their reports."""

import importlib.metadata
import logging
import math
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from pydantic import TypeAdapter

from linstudy.facts import RESUME, Artifact, Ending, Fact, Progress, Report
from linstudy.machine import available_memory, available_threads, host_name
from linstudy.prepare.sources import changed_sources, sources
from linstudy.resources import SECONDS_TO_APPEAR, Resources
from linstudy.runs.job import Arrays, Job, Stopped
from linstudy.runs.kinds import ASSISTS, KINDS, TOGETHER
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import RunSpec
from linstudy.store.artifacts import ArtifactError, ArtifactStore
from linstudy.workers.channel import Channel
from linstudy.workers.logs import mark
from linstudy.workers.memory import Programs
from linstudy.workers.messages import ArtifactReference, Assignment, Hello, Help, Sender
from linstudy.workers.programs import processor
from linstudy.workers.settings import Settings

SECONDS_BETWEEN_PROGRESS = 0.1
"""A person sees no more of it, and a short epoch costs less than telling of it."""

_EXHAUSTED = "RESOURCE_EXHAUSTED"
"""In the message of an error of XLA, whose class is that of its other errors."""

_SPEC: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)


def serve(settings: Settings, channel: Channel) -> None:
    """Make attempts, one command after another, for ever."""
    logging.basicConfig(stream=sys.stderr)
    require = channel.lease.require if channel.lease else lambda: None
    scratch = Path(settings.scratch) if settings.scratch else None
    patience = SECONDS_TO_APPEAR if settings.mark else 0.0
    store = ArtifactStore(Path(settings.artifacts), scratch, before_writing=require, patience=patience)
    resources = _resources(settings, store)
    programs = Programs()
    channel.sender.send(_hello())
    while True:
        command = channel.starts.get()
        if isinstance(command, Help):
            _help(command, settings, store, resources, channel)
        else:
            _print_to(command.log)
            _attempt(command.attempts, settings, store, resources, channel.stopping.is_set, channel.sender)
            _print_to("")
        programs.drop_if_large()


def _resources(settings: Settings, store: ArtifactStore) -> Resources:
    threads = available_threads()  # of the processors that this process was given
    memory = settings.memory or available_memory()
    return Resources(memory, threads, store.scratch, store.scratch_folder, kind=_kind(threads))


def _kind(threads: int) -> str:
    """Of device. The number of threads counts: by it products are cut into parts, whose sums round."""
    devices = jax.local_devices()
    return f"{len(devices)} {devices[0].platform}, {devices[0].device_kind}, {processor()}, {threads} threads"


def _hello() -> Hello:
    device = jax.devices()[0]
    names = ("linstudy", "jax", "equinox", "optax", "numpy", "scipy")
    versions = {name: importlib.metadata.version(name) for name in names}
    return Hello(f"{device.platform}: {device.device_kind}", versions, host_name())


def _print_to(log: str) -> None:
    """Let all that is printed from here on belong to a log."""
    sys.stdout.flush()
    sys.stderr.flush()
    sys.stdout.buffer.write(mark(log))
    sys.stdout.flush()


def _attempt(
    assignments: Sequence[Assignment],
    settings: Settings,
    store: ArtifactStore,
    resources: Resources,
    stop: Callable[[], bool],
    sender: Sender,
) -> None:
    tellers = [Teller(assignment.attempt, sender) for assignment in assignments]
    try:
        _check_sources(assignments, settings)
        pairs = zip(assignments, tellers, strict=True)
        _compute([_job(assignment, teller, settings, store, resources, stop) for assignment, teller in pairs])
        ending = Ending("done")
    except Stopped:
        ending = Ending("interrupted", "stopped on request")
    except (Exception, SystemExit) as error:
        traceback.print_exc()  # to the log of the run, in full
        ending = _failure(error)
    sys.stdout.flush()
    for teller in tellers:
        teller.end(ending)


def _help(command: Help, settings: Settings, store: ArtifactStore, resources: Resources, channel: Channel) -> None:
    """Help with an attempt of another worker, of which nothing is told but how the help ended."""
    assignment, teller = command.assignment, Teller(command.assignment.attempt, channel.sender)
    try:
        _check_sources([assignment], settings)
        job = _job(assignment, teller, settings, store, resources, channel.stopping.is_set)
        job = replace(job, tell=lambda *facts: None)
        ASSISTS[job.spec.kind](job, command.token, channel.released.is_set)
        ending = Ending("done")
    except Stopped:
        ending = Ending("interrupted", "stopped on request")
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        ending = _failure(error)
    sys.stdout.flush()
    teller.end(ending)


def _failure(error: BaseException) -> Ending:
    match error:
        case ArtifactError():
            return Ending("failed", str(error), damaged=error.paths)
        case LinstudyError():
            return Ending("failed", str(error), for_memory=isinstance(error, MemoryError))
        case SystemExit():
            text = f"the run's own code ended the process, with exit status {error.code}"
        case _:
            text = f"{type(error).__name__}: {error}"
    lacks_memory = isinstance(error, MemoryError) or _EXHAUSTED in str(error)
    return Ending("failed", text, traceback.format_exc(), for_memory=lacks_memory)


def _compute(jobs: Sequence[Job]) -> None:
    [kind] = {job.spec.kind for job in jobs}
    if len(jobs) == 1:
        KINDS[kind](jobs[0])
    else:
        TOGETHER[kind](jobs)


def _check_sources(assignments: Sequence[Assignment], settings: Settings) -> None:
    """See that what lies outside the study is still what was planned: the id of a run says what it was made of.

    Raises:
        LinstudyError: If it is not.
    """
    identify = sources(settings.places)
    for assignment in assignments:
        changed = assignment.source and changed_sources(_spec(assignment), assignment.source, identify)
        if changed:
            raise LinstudyError(
                "the model's code, the data or the labels changed after this run was planned "
                f"({', '.join(changed)}). `linstudy run STUDY` makes a run of what is there now"
            )


def _spec(assignment: Assignment) -> RunSpec:
    return _SPEC.validate_python(assignment.spec, strict=False)


def _job(
    assignment: Assignment,
    teller: "Teller",
    settings: Settings,
    store: ArtifactStore,
    resources: Resources,
    stop: Callable[[], bool],
) -> Job:
    def save(name: str, arrays: Arrays, epoch: int | None, replaces: int | None) -> Artifact:
        owner = assignment.run_id if name == RESUME else ""
        return store.save(name, arrays, epoch, replaces=replaces, owner=owner)

    return Job(
        spec=_spec(assignment),
        name=assignment.run_id,
        kept=assignment.kept,
        legs=assignment.legs,
        artifacts={(item.role, item.name, item.epoch): _loader(store, item) for item in assignment.artifacts},
        fingerprints=assignment.fingerprints,
        places=settings.places,
        resources=resources,
        tell=teller.tell,
        store=save,
        stop=stop,
        may_be_helped=assignment.may_be_helped,
    )


def _loader(store: ArtifactStore, item: ArtifactReference) -> Callable[[], dict[str, np.ndarray]]:
    return lambda: store.load(item.path, sha256=item.sha256)


class Teller:
    """Reports the facts of one attempt, until it ends."""

    def __init__(self, attempt: int, sender: Sender):
        self._attempt, self._sender = attempt, sender
        self._ended = False
        self._progressed = -math.inf

    def tell(self, *facts: Fact) -> None:
        """Report facts that belong together."""
        kept = tuple(fact for fact in facts if not (isinstance(fact, Progress) and self._too_soon(fact)))
        if kept and not self._ended:
            self._ended = any(isinstance(fact, Ending) for fact in kept)
            self._sender.send(Report(self._attempt, kept))

    def end(self, ending: Ending) -> None:
        """Report the ending, once: of several attempts that go together, one can end before the others."""
        self.tell(ending)

    def _too_soon(self, progress: Progress) -> bool:
        if progress.fraction < 1 and time.monotonic() - self._progressed < SECONDS_BETWEEN_PROGRESS:
            return True
        self._progressed = time.monotonic()
        return False
