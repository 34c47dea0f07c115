"""What coordinator and workers tell each other: one JSON object a line, nothing pickled."""

import json
from dataclasses import dataclass, fields
from typing import Any, Literal, TextIO, get_args

Outcome = Literal["done", "failed", "interrupted", "diverged"]


@dataclass(frozen=True)
class ArtifactReference:
    """A stored artifact, by the role that its run plays for a job."""

    role: str
    name: str
    epoch: int | None
    path: str
    sha256: str


@dataclass(frozen=True)
class Assignment:
    """One run to make an attempt at."""

    run_id: str
    spec: dict[str, Any]
    checkpoints: tuple[int, ...]
    artifacts: tuple[ArtifactReference, ...]

    @classmethod
    def parse(cls, content: dict[str, Any]) -> "Assignment":
        references = tuple(ArtifactReference(**reference) for reference in content.pop("artifacts"))
        return cls(**content, artifacts=references)


@dataclass(frozen=True)
class RunCommand:
    """Coordinator to worker: make one attempt at each of some runs, together if there are several."""

    runs: tuple[Assignment, ...]
    data_folder: str | None

    @classmethod
    def parse(cls, content: dict[str, Any]) -> "RunCommand":
        return cls(tuple(Assignment.parse(run) for run in content["runs"]), content["data_folder"])


@dataclass(frozen=True)
class StopCommand:
    """Coordinator to worker: end what it is at, at the next safe point."""


@dataclass(frozen=True)
class Hello:
    """Worker to coordinator: ready. `device` is what it computes on."""

    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Row:
    """A scalar or a vector of a metric."""

    run_id: str
    name: str
    value: float | list[float]
    split: str
    epoch: int | None
    step: int | None
    label: str


@dataclass(frozen=True)
class Stored:
    """An artifact that the worker has written."""

    run_id: str
    name: str
    path: str
    sha256: str
    bytes: int
    epoch: int | None


@dataclass(frozen=True)
class Restart:
    """Rows after this epoch, or all, will be told again."""

    run_id: str
    epoch: int | None


@dataclass(frozen=True)
class Loaded:
    """The fingerprint of the arrays that the run loaded."""

    run_id: str
    fingerprint: str


@dataclass(frozen=True)
class Chosen:
    """How the run computed something for which there were several ways."""

    run_id: str
    what: str
    how: str


@dataclass(frozen=True)
class Progressed:
    """How far the run is."""

    run_id: str
    fraction: float
    text: str


@dataclass(frozen=True)
class Finished:
    """The attempt is over."""

    run_id: str
    outcome: Outcome
    error: str | None = None
    traceback: str | None = None


Message = RunCommand | StopCommand | Hello | Row | Stored | Restart | Loaded | Chosen | Progressed | Finished
OfRun = Row | Stored | Restart | Loaded | Chosen | Progressed | Finished
"""What a worker tells of one run, by its `run_id`."""

_KINDS = {cls.__name__: cls for cls in get_args(Message)}


def send(stream: TextIO, message: Message) -> None:
    """Write one message. A row leaves with the next message of another kind, since there are many of them."""
    stream.write(json.dumps({"message": type(message).__name__, **vars(message)}, default=vars) + "\n")
    if not isinstance(message, Row):
        stream.flush()


def parse(line: str) -> Message:
    """Read one message."""
    content = json.loads(line)
    cls = _KINDS[content.pop("message")]
    if cls is RunCommand:
        return RunCommand.parse(content)
    known = {field.name for field in fields(cls)}
    return cls(**{name: value for name, value in content.items() if name in known})
