"""The table of the kinds of run that have a network of their own: what each of them worked with, made again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from linstudy.data.glance import glances
from linstudy.load.samples import Samples
from linstudy.runs.context import dtype_of
from linstudy.runs.job import Job
from linstudy.runs.networks import initial_network, starting_point
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import NadsRun, SpectrumRun, TrainingRun
from linstudy.spec.task import Task
from linstudy.spec.train import Precision
from linstudy.tasks.kinds import label

Network = tuple[Any, Any]
"""A model called `model(x, statistics) -> (logit, statistics)`, and its statistics or None."""


@dataclass(frozen=True)
class Kind:
    """How what a run worked with is made again from its spec.

    Attributes:
        precision: Of its arrays.
        samples: Those that it saw.
        start: The network at epoch 0.
        epochs: The last epoch of that network.
    """

    precision: Callable[[Any], Precision]
    samples: Callable[[Job, Any], Samples]
    start: Callable[[Job, Any], Network]
    epochs: Callable[[Any], int] = lambda spec: 0


def _samples(job: Job, task: Task | None, precision: Precision) -> Samples:
    """The samples of a task, or of the data with their classes if None."""
    data = job.dataset()
    made = data if task is None else label(task, data, job.needed, job.places)
    kind = dtype_of(precision)
    return Samples(
        made.train_inputs.astype(kind),
        made.train_labels.astype(data.train_labels.dtype if task is None else kind),
        made.test_inputs.astype(kind),
        made.test_labels.astype(data.test_labels.dtype if task is None else kind),
        data.train_indices.copy(),
        data.test_indices.copy(),
    )


def _input_shape(job: Job, spec: SpectrumRun | TrainingRun) -> tuple[int, ...]:
    """Of one input; the data are loaded only where nothing else tells it."""
    shape = glances(job.places)(spec.data).shape
    return replace(job, fingerprints={}).dataset().train_inputs.shape[1:] if shape is None else shape


def _samples_of_nads(job: Job, spec: NadsRun) -> Samples:
    if spec.data is None:
        raise LinstudyError("it saw no data: its NADs are those at the origin")
    every = _samples(job, None, "float64")
    first, none = slice(spec.nads.samples), slice(0)
    parts = (every.train_inputs[first], every.train_labels[first], every.test_inputs[none], every.test_labels[none])
    return Samples(*parts, every.train_indices[first], every.test_indices[none])


def _start_of_spectrum(job: Job, spec: SpectrumRun) -> Network:
    if spec.seed is None:
        raise LinstudyError("it has no network: its kernel is that of infinitely wide ones")
    return initial_network(job, _input_shape(job, spec))


KINDS = {
    "spectrum": Kind(
        precision=lambda spec: spec.spectrum.precision,
        samples=lambda job, spec: _samples(job, spec.task, spec.spectrum.precision),
        start=_start_of_spectrum,
    ),
    "nads": Kind(
        precision=lambda spec: "float64",
        samples=_samples_of_nads,
        start=lambda job, spec: initial_network(job, spec.shape),
    ),
    "training": Kind(
        precision=lambda spec: spec.train.precision,
        samples=lambda job, spec: _samples(job, spec.task, spec.train.precision),
        start=lambda job, spec: starting_point(job, spec, _input_shape(job, spec)),
        epochs=lambda spec: spec.train.epochs,
    ),
}
"""A probe has none of its own: its network is that of its training."""
