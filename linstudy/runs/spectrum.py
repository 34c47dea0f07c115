"""The run `spectrum`: the NTK Gram at initialization, decomposed."""

from collections.abc import Callable

import numpy as np

from linstudy import metrics
from linstudy.runs.context import inputs_of, progress_of
from linstudy.runs.events import Emit, Measured, Produced, Restarted
from linstudy.runs.job import Job
from linstudy.runs.networks import initial_network
from linstudy.runs.precision import precision
from linstudy.spec.checks import DEFAULT_TOP
from linstudy.spec.run import SpectrumRun
from linstudy.tangent import freeze, infinite_width, ntk_gram, spectrum

Gram = Callable[[SpectrumRun, Job, np.ndarray, Callable[[float], None]], np.ndarray]

SHARE_OF_GRAM = 0.7
"""Of the progress shown; the decomposition takes the rest."""


def _empirical(spec: SpectrumRun, job: Job, inputs: np.ndarray, report: Callable[[float], None]) -> np.ndarray:
    model = freeze(*initial_network(job, inputs.shape[1:]))
    return ntk_gram(model, inputs, progress=report)


def _infinite_width(spec: SpectrumRun, job: Job, inputs: np.ndarray, report: Callable[[float], None]) -> np.ndarray:
    kernel = INFINITE_WIDTH[spec.model.kind](spec.model)
    return infinite_width.infinite_width_gram(kernel, inputs, progress=report)


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
        inputs = inputs_of(job, emit, spec.spectrum.precision)
        report = progress_of(job, emit, "Gram", end=SHARE_OF_GRAM)
        gram = KERNELS[spec.spectrum.kernel](spec, job, inputs, report)
    progress_of(job, emit, "eigenvectors")(SHARE_OF_GRAM)
    found = spectrum(gram, min(spec.spectrum.top or DEFAULT_TOP, len(inputs)))
    emit(Produced("spectrum", {"eigenvalues": found.eigenvalues, "eigenvectors": found.eigenvectors}))
    every = found.all_eigenvalues if found.all_eigenvalues is not None else found.eigenvalues
    emit(Measured(metrics.EIGENVALUES, every))
    emit(Measured(metrics.RESIDUALS, found.residuals))
    emit(Measured(metrics.GAPS, found.gaps))
    emit(Measured(metrics.EIGENVALUE_MAX, float(found.eigenvalues[0])))
    emit(Measured(metrics.TRACE, float(np.trace(gram, dtype=np.float64))))
