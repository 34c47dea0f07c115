"""The run `spectrum`: the NTK Gram at initialization, decomposed."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from linstudy import metrics
from linstudy.facts import Method, Number, Vector
from linstudy.models.infinite_width import infinite_width_kernel
from linstudy.runs.context import IN_FILE, gram_room, inputs_of, progress_of
from linstudy.runs.gram_file import discard
from linstudy.runs.job import Job
from linstudy.runs.networks import initial_network
from linstudy.runs.precision import ROUNDING, precision
from linstudy.runs.shared_gram import LEAST_BYTES, SECONDS_FOR_FILE, help_with_gram, shared_gram, wait_for_file
from linstudy.spec.run import SpectrumRun
from linstudy.spec.spectrum import BYTES_PER_PAIR
from linstudy.spec.train import Precision
from linstudy.tangent import GramBlocks, Spectrum, freeze, ntk_gram, spectrum
from linstudy.tangent.infinite_width import infinite_width_gram
from linstudy.tangent.placement import default_budget
from linstudy.tangent.spectrum import is_full

Gram = Callable[[SpectrumRun, Job, np.ndarray], np.ndarray]

SHARE_OF_GRAM = 0.7
"""Of the progress shown; the decomposition takes the rest."""


def _empirical(spec: SpectrumRun, job: Job, inputs: np.ndarray) -> np.ndarray:
    model = freeze(*initial_network(job, inputs.shape[1:]))
    blocks = _shared_blocks(job, model, inputs)
    if blocks is not None:
        job.tell(IN_FILE, Method("gram", blocks.how))
        return shared_gram(job, blocks, _report(job))
    return ntk_gram(
        model,
        inputs,
        out=gram_room(job, (len(inputs), len(inputs)), inputs.dtype),
        memory_budget=default_budget(job.resources.features),
        progress=_report(job),
        chose=lambda how: job.tell(Method("gram", how)),
    )


def _shared_blocks(job: Job, model: Any, inputs: np.ndarray) -> GramBlocks | None:
    """The blocks of a Gram that goes to a file which outlives the attempt, and to which helpers write; else None.

    One that does not fit memory does, and one that takes so long that help may pay.
    """
    folder, size = job.resources.folder, len(inputs) ** 2 * inputs.itemsize
    fits = job.resources.holds(size)
    if folder is None or (fits and not (job.may_be_helped and size >= LEAST_BYTES and _has_room(folder, size))):
        return None
    blocks = GramBlocks(model, inputs, memory_budget=default_budget(job.resources.features))
    return None if fits and blocks.seconds() < SECONDS_FOR_FILE else blocks


def _has_room(folder: Path, size: int) -> bool:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free > 2 * size


def _infinite_width(spec: SpectrumRun, job: Job, inputs: np.ndarray) -> np.ndarray:
    kernel = infinite_width_kernel(spec.model)
    room = gram_room(job, (len(inputs), len(inputs)), inputs.dtype)
    return infinite_width_gram(kernel, inputs, out=room, progress=_report(job))


def _report(job: Job) -> Callable[[float], None]:
    return progress_of(job, "Gram", end=SHARE_OF_GRAM)


KERNELS: dict[str, Gram] = {"empirical": _empirical, "infinite_width": _infinite_width}


def _require(job: Job, samples: int, top: int) -> None:
    if is_full(samples, top):
        purpose = f"the decomposition of the Gram of {samples:,} samples, training and test,"
        job.resources.require(samples**2 * BYTES_PER_PAIR, purpose, "Take fewer, as in data: {train: 5000, test: 1000}")


def _arrays(found: Spectrum, precision: Precision) -> dict[str, np.ndarray]:
    """What labels are made of, and what tells how well they are defined."""
    return {
        "eigenvalues": found.eigenvalues,
        "eigenvectors": found.eigenvectors,
        "gaps": found.gaps,
        "residuals": found.residuals,
        "rounding": np.array([ROUNDING[precision]]),
    }


def assist(job: Job, token: str, is_released: Callable[[], bool]) -> None:
    """Help another worker with the Gram of its run; see `wait_for_file` and `help_with_gram`."""
    spec = job.spec
    assert isinstance(spec, SpectrumRun)
    with precision(spec.spectrum.precision), closing(wait_for_file(job, token, is_released)) as file:
        inputs = inputs_of(job, spec.task, spec.spectrum.precision)
        model = freeze(*initial_network(job, inputs.shape[1:]))
        budget = default_budget(job.resources.features)
        blocks = GramBlocks(model, inputs, division=file.division, memory_budget=budget)
        help_with_gram(job, blocks, file, is_released)


def run(job: Job) -> None:
    """Leaves the artifact `spectrum`: eigenvectors, one a row, over training then test samples, and their eigenvalues,
    gaps and residuals.
    """
    spec = job.spec
    assert isinstance(spec, SpectrumRun)
    with precision(spec.spectrum.precision):
        inputs = inputs_of(job, spec.task, spec.spectrum.precision)
        top = spec.spectrum.kept(len(inputs))
        _require(job, len(inputs), top)
        gram = KERNELS[spec.spectrum.kernel](spec, job, inputs)
    trace = float(np.trace(gram, dtype=np.float64))
    del inputs
    report = progress_of(job, "eigenvectors", start=SHARE_OF_GRAM)
    report(0.0)
    try:
        found = spectrum(gram, top, memory_budget=job.resources.basis, progress=report)
    except ValueError:  # of what is no Gram, which the next attempt would take from its file
        discard(job.resources.folder, job.name)
        raise
    del gram
    every = found.all_eigenvalues if found.all_eigenvalues is not None else found.eigenvalues
    job.tell(
        job.save(spec.kind, _arrays(found, spec.spectrum.precision)),
        Vector(metrics.EIGENVALUES, every),
        Vector(metrics.RESIDUALS, found.residuals),
        Vector(metrics.GAPS, found.gaps),
        Number(metrics.EIGENVALUE_MAX, float(found.eigenvalues[0])),
        Number(metrics.TRACE, trace),
    )
    discard(job.resources.folder, job.name)
