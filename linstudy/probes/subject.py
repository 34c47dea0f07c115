"""What a probe measures, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from linstudy.facts import Number, Vector
from linstudy.models.infinite_width import infinite_width_kernel
from linstudy.resources import Resources
from linstudy.spec.model import Model
from linstudy.spec.probe import GramProbe
from linstudy.tangent import FrozenState, ntk_gram
from linstudy.tangent.infinite_width import infinite_width_gram
from linstudy.tangent.placement import default_budget
from linstudy.tasks.labelled import Labelled, Needed


@dataclass(frozen=True)
class Subject:
    """A model at one epoch, on the data of its training.

    Attributes:
        model: `model(x) -> logit`, batch norm frozen.
        family: What it is one of.
        resources: The memory that it may take, and where what exceeds it goes.
        needed: The arrays of the runs that the probe needs, by role.
        report: Called with the fraction done; it may raise to stop.
        chose: Called with what was computed in one of several ways, and how.
    """

    model: FrozenState
    family: Model
    data: Labelled
    resources: Resources
    needed: Needed
    report: Callable[[float], None]
    chose: Callable[[str, str], None]

    @property
    def budget(self) -> int:
        """Bytes of tangent features to hold at a time."""
        return default_budget(self.resources.features)


Finding = Number | Vector
"""What a probe finds, without its epoch and label."""


def gram_and_labels(probe: GramProbe, subject: Subject, dtype: np.dtype | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The Gram and the labels of the probe's samples, the first of the training.

    Args:
        dtype: Of the array that holds the Gram; the precision of the inputs if None.

    Raises:
        LinstudyError: If the memory is not enough to decompose it, or the disk to hold it.
    """
    inputs, labels = subject.data.train_inputs[: probe.samples], subject.data.train_labels[: probe.samples]
    samples = len(inputs)
    purpose = f"a full decomposition of the Gram of {samples:,} samples"
    subject.resources.require(samples**2 * probe.bytes_per_pair, purpose, "Write fewer, as in samples: 10000")
    room = subject.resources.array((samples, samples), dtype or inputs.dtype)
    return KERNELS[probe.kernel](subject, inputs, room), labels


def _empirical(subject: Subject, inputs: np.ndarray, room: np.ndarray) -> np.ndarray:
    return ntk_gram(
        subject.model,
        inputs,
        memory_budget=subject.budget,
        out=room,
        progress=subject.report,
        chose=partial(subject.chose, "gram"),
    )


def _infinite_width(subject: Subject, inputs: np.ndarray, room: np.ndarray) -> np.ndarray:
    return infinite_width_gram(infinite_width_kernel(subject.family), inputs, out=room, progress=subject.report)


KERNELS: dict[str, Callable[[Subject, np.ndarray, np.ndarray], np.ndarray]] = {
    "empirical": _empirical,
    "infinite_width": _infinite_width,
}
