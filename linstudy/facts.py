"""What happens to an attempt at a run.

A fact is checked where it is made, and is the same record in the worker, on the wire and at the ledger's door. A new
kind of fact is a class here, in the union `Fact`, and a case in `store.entries`, if it leaves a row.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from linstudy.metrics import METRICS, Metric

Outcome = Literal["done", "failed", "interrupted", "diverged"]

Shape = Literal["scalar", "vector"]

CHECKPOINT = "checkpoint"
"""The artifact that others ask of a training: its state after an epoch."""

RESUME = "resume"
"""The state from which an interrupted training goes on. There is one at most; it is deleted when the training ends."""


LONGEST_ERROR = 2_000
LONGEST_TRACEBACK = 20_000
"""Characters that are kept; the log of the run has all of them."""


class FactError(ValueError):
    """A fact that says what no fact can say: a mistake of the code that made it."""


def _shorten(text: str | None, longest: int) -> str | None:
    """The beginning and the end of a text, which together are no longer than allowed."""
    if text is None or len(text) <= longest:
        return text
    note = f"\n… {len(text):,} characters, all of them in the log of the run …\n"
    left = longest - len(note)
    return text[: left - left // 2] + note + text[len(text) - left // 2 :]


def _check(metric: Metric, shape: Shape) -> None:
    if METRICS.get(metric.name) != metric:
        raise FactError(f'"{metric.name}" is no declared metric. Declare it in linstudy/metrics.py')
    if metric.shape != shape:
        raise FactError(f"{metric.name} is a {metric.shape}, and a {shape} arrived")


@dataclass(frozen=True)
class Number:
    """A scalar of a metric, None where it is not finite. `label` tells two probes of one kind apart."""

    metric: Metric
    value: float | None
    split: str = ""
    epoch: int | None = None
    step: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        _check(self.metric, "scalar")
        if np.ndim(self.value) != 0:  # type: ignore[arg-type]
            raise FactError(f"{self.metric.name} is one number, and an array of shape {np.shape(self.value)} arrived")  # type: ignore[arg-type]
        value = None if self.value is None else float(self.value)
        object.__setattr__(self, "value", value if value is not None and math.isfinite(value) else None)


@dataclass(frozen=True, eq=False)
class Vector:
    """Numbers of a metric in order: eigenvalues, alignments. NaN where one is not finite."""

    metric: Metric
    values: np.ndarray | Sequence[float]
    split: str = ""
    epoch: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        _check(self.metric, "vector")
        values = np.asarray(self.values, dtype=np.float64)
        if values.ndim != 1:
            raise FactError(f"{self.metric.name} is a list of numbers, and an array of shape {values.shape} arrived")
        object.__setattr__(self, "values", np.where(np.isfinite(values), values, np.nan))


@dataclass(frozen=True)
class Artifact:
    """A stored file; `path` is relative to the workspace, `replaces` the epoch of one that it makes superfluous."""

    name: str
    path: str
    sha256: str
    bytes: int
    epoch: int | None = None
    replaces: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far the attempt is, from 0 to 1, and in words."""

    fraction: float
    text: str = ""


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of the arrays that the run loaded."""

    value: str


@dataclass(frozen=True)
class Method:
    """How the run computes what it could have computed otherwise, such as "training" in "function space"."""

    what: str
    how: str


@dataclass(frozen=True)
class Notice:
    """A warning that belongs to the run's result."""

    text: str


@dataclass(frozen=True)
class Divided:
    """What the attempt is at is divided, and help with it would pay.

    Attributes:
        token: Of the file in which it is made.
        parts: How many nobody has begun; 0 once help pays no more.
    """

    token: str
    parts: int


@dataclass(frozen=True)
class Ending:
    """The attempt is over; nothing that comes later is believed.

    Attributes:
        error, traceback: Shortened where they are long.
        damaged: Paths of artifacts that were missing or not what was recorded.
        for_memory: Whether it failed for want of memory, as far as can be told.
    """

    outcome: Outcome
    error: str | None = None
    traceback: str | None = None
    damaged: tuple[str, ...] = ()
    for_memory: bool = False

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Outcome):
            raise FactError(f'an attempt cannot end as "{self.outcome}". Allowed: {", ".join(get_args(Outcome))}')
        object.__setattr__(self, "error", _shorten(self.error, LONGEST_ERROR))
        object.__setattr__(self, "traceback", _shorten(self.traceback, LONGEST_TRACEBACK))


Fact = Number | Vector | Artifact | Progress | Fingerprint | Method | Notice | Divided | Ending

_KINDS = {cls.__name__: cls for cls in get_args(Fact)}


@dataclass(frozen=True)
class Report:
    """Facts of one attempt that belong together: they are stored at once, or not at all."""

    attempt: int
    facts: tuple[Fact, ...]


def encode(report: Report) -> dict[str, Any]:
    """A report as what JSON can hold."""
    return {"attempt": report.attempt, "facts": [_encode(fact) for fact in report.facts]}


def decode(content: dict[str, Any]) -> Report:
    """The report that `encode` was given.

    Raises:
        FactError, KeyError, TypeError, ValueError: If the content is none.
    """
    return Report(int(content["attempt"]), tuple(map(_decode, content["facts"])))


def _encode(fact: Fact) -> dict[str, Any]:
    return {"fact": type(fact).__name__, **{field.name: _plain(getattr(fact, field.name)) for field in fields(fact)}}


def _plain(value: Any) -> Any:
    if isinstance(value, Metric):
        return value.name
    # The bytes of a long vector cost a twentieth of its digits.
    return base64.b64encode(value.astype("<f8").tobytes()).decode() if isinstance(value, np.ndarray) else value


def _decode(content: dict[str, Any]) -> Fact:
    cls = _KINDS[content.pop("fact")]
    if "metric" in content:
        content["metric"] = METRICS[content["metric"]]
    if "values" in content:
        content["values"] = np.frombuffer(base64.b64decode(content["values"]), "<f8")
    if "damaged" in content:
        content["damaged"] = tuple(content["damaged"])
    return cls(**content)
