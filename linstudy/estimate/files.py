"""The bytes of the files that a run leaves."""

import math
from collections.abc import Callable
from typing import Any

from linstudy.estimate.layers import network
from linstudy.estimate.work import COPIES
from linstudy.spec.data import DataForm
from linstudy.spec.run import NadsRun, RunSpec, SpectrumRun, TrainingRun
from linstudy.spec.train import in_function_space


def file_bytes(spec: RunSpec, checkpoints: int, form: DataForm, span: int) -> int | None:
    """The bytes of a run's files; None if they are not known.

    Args:
        checkpoints: How many of them it leaves.
        span: Bytes of a Gram up to which a linearization trains in function space by itself.
    """
    return KINDS[spec.kind](spec, checkpoints, form, span)


def _spectrum(spec: SpectrumRun, checkpoints: int, form: DataForm, span: int) -> int | None:
    """Eigenvectors, and three numbers with each of them."""
    if form.samples is None:
        return None
    kept = spec.spectrum.kept(form.samples)
    return 8 * kept * (form.samples + 3)


def _nads(spec: NadsRun, checkpoints: int, form: DataForm, span: int) -> int:
    dimensions = math.prod(spec.shape)
    return 8 * dimensions * (dimensions + 1)


def _training(spec: TrainingRun, checkpoints: int, form: DataForm, span: int) -> int | None:
    """In each checkpoint the parameters and what the optimizer keeps, in function space also their coefficients."""
    found = None if form.shape is None else network(spec.model, form.shape)
    if found is None or form.samples is None or form.train is None:
        return None
    numbers = found.parameters
    if in_function_space(spec.train, form.train, form.test, span):
        numbers += form.train + form.samples
    entry = 8 if spec.train.precision == "float64" else 4
    return checkpoints * entry * numbers * (1 + COPIES[spec.train.optimizer.kind])


KINDS: dict[str, Callable[[Any, int, DataForm, int], int | None]] = {
    "spectrum": _spectrum,
    "nads": _nads,
    "training": _training,
    "probe": lambda spec, checkpoints, form, span: 0,
}
