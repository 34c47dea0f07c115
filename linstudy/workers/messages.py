"""What coordinator and worker say to each other, and how: one numbered JSON object a line, nothing pickled."""

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from linstudy.facts import Report, decode, encode
from linstudy.history import Leg


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
    """One attempt to make at a run.

    Attributes:
        source: The identity of what lies outside the study, as it was planned.
        kept, legs: See `history.Resumption`.
        artifacts: What this run, as "self", and those that it needs have left.
        fingerprints: Of the arrays that these had loaded, by role.
        may_be_helped: Whether other workers may have nothing to do.
    """

    attempt: int
    run_id: str
    spec: dict[str, Any]
    source: str
    kept: int | None
    legs: tuple[Leg, ...]
    artifacts: tuple[ArtifactReference, ...]
    fingerprints: dict[str, str]
    may_be_helped: bool = False


@dataclass(frozen=True)
class Start:
    """Coordinator to worker: make these attempts, together if there are several; what is printed goes to `log`."""

    log: str
    attempts: tuple[Assignment, ...]


@dataclass(frozen=True)
class Help:
    """Coordinator to worker: help with an attempt of another worker, whose file has the token.

    It answers with the ending of its help, as of that attempt.
    """

    assignment: Assignment
    token: str


@dataclass(frozen=True)
class Release:
    """Coordinator to worker: end the help that it gives, at its next block."""


@dataclass(frozen=True)
class Stop:
    """Coordinator to worker: end what it is at, at the next safe point."""


@dataclass(frozen=True)
class Hello:
    """Worker to coordinator: ready. `device` is what it computes on, `host` the machine's name."""

    device: str
    versions: dict[str, str]
    host: str = ""


@dataclass(frozen=True)
class Beat:
    """Worker to coordinator: alive; and the same back, which renews the worker's lease. See `lease`."""

    count: int


@dataclass(frozen=True)
class Interrupt:
    """Worker to coordinator: a signal arrived that asks the study to stop."""

    signal: str


@dataclass(frozen=True)
class Leaving:
    """Worker to coordinator: its place is about to end."""


@dataclass(frozen=True)
class Garbled:
    """A line that is no message, or the place of one that never arrived."""

    text: str
    is_gap: bool = False


Command = Start | Help | Release | Stop | Beat
Message = Command | Hello | Interrupt | Leaving | Report


class Sender:
    """The writing end of a channel; several threads may use it."""

    def __init__(self, stream: TextIO):
        self._stream, self._lock, self._sent = stream, threading.Lock(), 0

    def send(self, message: Message) -> None:
        """Write one message, on a line of its own whatever else was written to the channel."""
        content = encode(message) if isinstance(message, Report) else asdict(message)
        with self._lock:
            line = json.dumps({"number": self._sent, "message": type(message).__name__, **content})
            self._stream.write(f"\n{line}\n")
            self._stream.flush()
            self._sent += 1


def receive(lines: Iterable[str]) -> Iterator[Message | Garbled]:
    """The messages of a channel until it ends. A number that is passed over is told as a gap, once."""
    expected, reason = 0, ""
    for line in lines:
        if line.isspace():
            continue
        try:
            number, message = _parse(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{line.strip()[:200]} ({type(error).__name__}: {error})"
            yield Garbled(reason)
            continue
        if number != expected:
            yield Garbled(f"message {expected} never arrived" + (f"; what came was {reason}" if reason else ""), True)
        expected, reason = number + 1, ""
        yield message


def _parse(line: str) -> tuple[int, Message]:
    content = json.loads(line)
    return int(content.pop("number")), _PARSERS[content.pop("message")](content)


def _start(content: dict[str, Any]) -> Start:
    return Start(content["log"], tuple(map(_assignment, content["attempts"])))


def _assignment(content: dict[str, Any]) -> Assignment:
    legs = tuple(Leg(leg["start"], tuple(leg["make"])) for leg in content.pop("legs"))
    artifacts = tuple(ArtifactReference(**reference) for reference in content.pop("artifacts"))
    return Assignment(**content, legs=legs, artifacts=artifacts)


_PARSERS = {
    "Start": _start,
    "Help": lambda content: Help(_assignment(content["assignment"]), content["token"]),
    "Release": lambda content: Release(),
    "Stop": lambda content: Stop(),
    "Hello": lambda content: Hello(**content),
    "Beat": lambda content: Beat(**content),
    "Interrupt": lambda content: Interrupt(**content),
    "Leaving": lambda content: Leaving(),
    "Report": decode,
}
