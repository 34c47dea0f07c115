"""The run `spectrum`: the NTK Gram at initialization, decomposed."""

import os
from collections.abc import Callable
from typing import IO

import numpy as np

from linstudy import metrics
from linstudy.runs.context import inputs_of, progress_of
from linstudy.runs.events import Chose, Emit, Measured, Produced, Restarted
from linstudy.runs.job import Job
from linstudy.runs.networks import initial_network
from linstudy.runs.precision import precision
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import SpectrumRun
from linstudy.tangent import freeze, infinite_width, ntk_gram, spectrum

Gram = Callable[[SpectrumRun, Job, Emit, np.ndarray], np.ndarray]

SHARE_OF_GRAM = 0.7
"""Of the progress shown; the decomposition takes the rest."""


IN_MEMORY = 2**32
"""Bytes; a larger Gram is held in a file, whose pages the system takes back when memory is short. How much there is of
it cannot be known: other workers run beside this one, and a queue may allow less than the machine has."""


def _held(samples: int, dtype: np.dtype, job: Job, emit: Emit) -> np.ndarray | None:
    """Where the Gram goes: a memory-mapped file, or new memory if None."""
    size = samples**2 * dtype.itemsize
    if size <= IN_MEMORY:
        return None
    emit(Chose("gram storage", "memory-mapped file"))
    file = job.scratch()
    _reserve(file, size)
    return np.memmap(file, dtype, "w+", shape=(samples, samples))


def _reserve(file: IO[bytes], size: int) -> None:
    """Claim the space on the disk now: where it ran out later, writing to the mapped file would kill the process."""
    if hasattr(os, "posix_fallocate"):  # all but macOS
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise LinstudyError(
                f"the Gram needs {size / 2**30:,.1f} GiB of disk in the workspace, which has no room for them "
                f"({error.strerror}): free some, choose another folder with --workspace, or take fewer samples"
            ) from error


def _empirical(spec: SpectrumRun, job: Job, emit: Emit, inputs: np.ndarray) -> np.ndarray:
    model = freeze(*initial_network(job, inputs.shape[1:]))
    out = _held(len(inputs), inputs.dtype, job, emit)
    return ntk_gram(model, inputs, out=out, progress=_report(job, emit), chose=lambda how: emit(Chose("gram", how)))


def _infinite_width(spec: SpectrumRun, job: Job, emit: Emit, inputs: np.ndarray) -> np.ndarray:
    kernel = INFINITE_WIDTH[spec.model.kind](spec.model)
    return infinite_width.infinite_width_gram(kernel, inputs, progress=_report(job, emit))


def _report(job: Job, emit: Emit) -> Callable[[float], None]:
    return progress_of(job, emit, "Gram", end=SHARE_OF_GRAM)


KERNELS: dict[str, Gram] = {"empirical": _empirical, "infinite_width": _infinite_width}

INFINITE_WIDTH: dict[str, Callable] = {
    "mlp": lambda model: infinite_width.mlp(model.hidden, model.activation),
    "lenet": lambda model: infinite_width.lenet(model.activation),
}


def run(job: Job, emit: Emit) -> None:
    """Leaves the artifact `spectrum`: eigenvalues and eigenvectors, one a row, over training then test samples."""
    spec = job.spec
    assert isinstance(spec, SpectrumRun)
    emit(Restarted())
    with precision(spec.spectrum.precision):
        inputs = inputs_of(job, emit, spec.task, spec.spectrum.precision)
        gram = KERNELS[spec.spectrum.kernel](spec, job, emit, inputs)
    trace, top = float(np.trace(gram, dtype=np.float64)), spec.spectrum.kept(len(inputs))
    del inputs
    report = progress_of(job, emit, "eigenvectors", start=SHARE_OF_GRAM)
    report(0.0)
    found = spectrum(gram, top, progress=report)
    del gram
    emit(Produced("spectrum", {"eigenvalues": found.eigenvalues, "eigenvectors": found.eigenvectors}))
    every = found.all_eigenvalues if found.all_eigenvalues is not None else found.eigenvalues
    emit(Measured(metrics.EIGENVALUES, every))
    emit(Measured(metrics.RESIDUALS, found.residuals))
    emit(Measured(metrics.GAPS, found.gaps))
    emit(Measured(metrics.EIGENVALUE_MAX, float(found.eigenvalues[0])))
    emit(Measured(metrics.TRACE, trace))
