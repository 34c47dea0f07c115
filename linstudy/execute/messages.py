"""What coordinator and workers tell each other: one JSON object a line, nothing pickled."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TextIO

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
class RunCommand:
    """Coordinator to worker: make one attempt."""

    run_id: str
    spec: dict[str, Any]
    checkpoints: tuple[int, ...]
    artifacts: tuple[ArtifactReference, ...]
    data_folder: str | None

    @classmethod
    def parse(cls, content: dict[str, Any]) -> "RunCommand":
        references = tuple(ArtifactReference(**reference) for reference in content.pop("artifacts"))
        return cls(**content, artifacts=references)


@dataclass(frozen=True)
class StopCommand:
    """Coordinator to worker: end the run at its next safe point."""


@dataclass(frozen=True)
class Hello:
    """Worker to coordinator: ready. `device` is what it computes on."""

    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Row:
    """A scalar or a vector of a metric."""

    name: str
    value: float | list[float]
    split: str
    epoch: int | None
    step: int | None
    label: str


@dataclass(frozen=True)
class Stored:
    """An artifact that the worker has written."""

    name: str
    path: str
    sha256: str
    bytes: int
    epoch: int | None


@dataclass(frozen=True)
class Restart:
    """Rows after this epoch, or all, will be told again."""

    epoch: int | None


@dataclass(frozen=True)
class Loaded:
    """The fingerprint of the arrays that the run loaded."""

    fingerprint: str


@dataclass(frozen=True)
class Progressed:
    """How far the run is."""

    fraction: float
    text: str


@dataclass(frozen=True)
class Finished:
    """The attempt is over."""

    outcome: Outcome
    error: str | None = None
    traceback: str | None = None


Message = RunCommand | StopCommand | Hello | Row | Stored | Restart | Loaded | Progressed | Finished
_KINDS = {
    cls.__name__: cls for cls in (RunCommand, StopCommand, Hello, Row, Stored, Restart, Loaded, Progressed, Finished)
}


def send(stream: TextIO, message: Message) -> None:
    """Write one message."""
    stream.write(json.dumps({"message": type(message).__name__, **asdict(message)}) + "\n")
    stream.flush()


def parse(line: str) -> Message:
    """Read one message."""
    content = json.loads(line)
    cls = _KINDS[content.pop("message")]
    if cls is RunCommand:
        return RunCommand.parse(content)
    known = {field.name for field in fields(cls)}
    return cls(**{name: value for name, value in content.items() if name in known})
