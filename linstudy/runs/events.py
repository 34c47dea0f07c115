"""What a run tells while it goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linstudy.metrics import Metric


@dataclass(frozen=True)
class Measured:
    """A scalar or a vector of a metric, at an epoch where it has one."""

    metric: Metric
    value: float | Sequence[float] | np.ndarray
    split: str = ""
    epoch: int | None = None
    step: int | None = None
    label: str = ""


@dataclass(frozen=True)
class Produced:
    """Named arrays that other runs may read: a checkpoint (with its epoch), a spectrum, directions."""

    name: str
    arrays: Mapping[str, np.ndarray]
    epoch: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far a run is, from 0 to 1, and in words."""

    fraction: float
    text: str = ""


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of the arrays that the run loaded."""

    value: str


@dataclass(frozen=True)
class Restarted:
    """From here on the run tells again what an earlier attempt told after this epoch, or all of it."""

    epoch: int | None = None


@dataclass(frozen=True)
class Diverged:
    """The last event of a training whose loss stopped being a number."""

    epoch: int


@dataclass(frozen=True)
class Chose:
    """How the run computes something that it could have computed otherwise, such as "training" in "function space"."""

    what: str
    how: str


Event = Measured | Produced | Progress | Fingerprint | Restarted | Diverged | Chose
Emit = Callable[[Event], None]


class Stopped(Exception):
    """A run was asked to stop, and did so at a point from where it can go on."""
