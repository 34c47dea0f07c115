"""What a probe measures, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from linstudy.metrics import Metric
from linstudy.tangent import FrozenState, ntk_gram
from linstudy.tasks.labelled import Labelled, Needed


@dataclass(frozen=True)
class Subject:
    """A model at one epoch, on the data of its training.

    Attributes:
        model: `model(x) -> logit`, batch norm frozen.
        needed: The arrays of the runs that the probe needs, by role.
        report: Called with the fraction done; it may raise to stop.
        chose: Called with what was computed in one of several ways, and how.
    """

    model: FrozenState
    data: Labelled
    needed: Needed
    report: Callable[[float], None]
    chose: Callable[[str, str], None]


@dataclass(frozen=True)
class Found:
    """One number or vector that a probe finds."""

    metric: Metric
    value: float | np.ndarray
    split: str = ""


def gram_and_labels(subject: Subject, samples: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The Gram and the labels of the first training samples."""
    inputs, labels = subject.data.train_inputs[:samples], subject.data.train_labels[:samples]
    gram = ntk_gram(subject.model, inputs, progress=subject.report, chose=partial(subject.chose, "gram"))
    return gram, labels
