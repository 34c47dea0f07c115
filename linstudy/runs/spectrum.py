"""The run `spectrum`: the NTK Gram at initialization, decomposed."""

import os
from collections.abc import Callable
from typing import IO

import numpy as np

from linstudy import metrics
from linstudy.facts import Method, Number, Vector
from linstudy.runs.context import inputs_of, progress_of
from linstudy.runs.job import Job
from linstudy.runs.networks import initial_network
from linstudy.runs.precision import precision
from linstudy.spec.checks import DEFAULT_TOP
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import SpectrumRun
from linstudy.tangent import freeze, infinite_width, ntk_gram, spectrum

Gram = Callable[[SpectrumRun, Job, np.ndarray], np.ndarray]

SHARE_OF_GRAM = 0.7
"""Of the progress shown; the decomposition takes the rest."""


IN_MEMORY = 2**32
"""Bytes; a larger Gram is held in a file, whose pages the system takes back when memory is short. How much there is of
it cannot be known: other workers run beside this one, and a queue may allow less than the machine has."""


def _held(samples: int, dtype: np.dtype, job: Job) -> np.ndarray | None:
    """Where the Gram goes: a memory-mapped file, or new memory if None."""
    size = samples**2 * dtype.itemsize
    if size <= IN_MEMORY:
        return None
    job.tell(Method("gram storage", "memory-mapped file"))
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


def _empirical(spec: SpectrumRun, job: Job, inputs: np.ndarray) -> np.ndarray:
    model = freeze(*initial_network(job, inputs.shape[1:]))
    out = _held(len(inputs), inputs.dtype, job)
    return ntk_gram(model, inputs, out=out, progress=_report(job), chose=lambda how: job.tell(Method("gram", how)))


def _infinite_width(spec: SpectrumRun, job: Job, inputs: np.ndarray) -> np.ndarray:
    kernel = INFINITE_WIDTH[spec.model.kind](spec.model)
    return infinite_width.infinite_width_gram(kernel, inputs, progress=_report(job))


def _report(job: Job) -> Callable[[float], None]:
    return progress_of(job, "Gram", end=SHARE_OF_GRAM)


KERNELS: dict[str, Gram] = {"empirical": _empirical, "infinite_width": _infinite_width}

INFINITE_WIDTH: dict[str, Callable] = {
    "mlp": lambda model: infinite_width.mlp(model.hidden, model.activation),
    "lenet": lambda model: infinite_width.lenet(model.activation),
}


def run(job: Job) -> None:
    """Leaves the artifact `spectrum`: eigenvalues and eigenvectors, one a row, over training then test samples."""
    spec = job.spec
    assert isinstance(spec, SpectrumRun)
    with precision(spec.spectrum.precision):
        inputs = inputs_of(job, spec.spectrum.precision)
        gram = KERNELS[spec.spectrum.kernel](spec, job, inputs)
    trace, top = float(np.trace(gram, dtype=np.float64)), min(spec.spectrum.top or DEFAULT_TOP, len(inputs))
    del inputs
    report = progress_of(job, "eigenvectors", start=SHARE_OF_GRAM)
    report(0.0)
    found = spectrum(gram, top, progress=report)
    del gram
    every = found.all_eigenvalues if found.all_eigenvalues is not None else found.eigenvalues
    job.tell(
        job.save("spectrum", {"eigenvalues": found.eigenvalues, "eigenvectors": found.eigenvectors}),
        Vector(metrics.EIGENVALUES, every),
        Vector(metrics.RESIDUALS, found.residuals),
        Vector(metrics.GAPS, found.gaps),
        Number(metrics.EIGENVALUE_MAX, float(found.eigenvalues[0])),
        Number(metrics.TRACE, trace),
    )
