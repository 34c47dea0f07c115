"""The probe `spectrum_summary`."""

from collections.abc import Iterator

import numpy as np

from linstudy import metrics
from linstudy.facts import Number, Vector
from linstudy.probes.subject import Finding, Subject, gram_and_labels
from linstudy.spec.probe import SpectrumSummaryProbe
from linstudy.tangent import all_eigenvalues, effective_rank


def measure(probe: SpectrumSummaryProbe, subject: Subject) -> Iterator[Finding]:
    """All eigenvalues, and what sums them up."""
    # held in float64 from the start, to be decomposed where it is
    gram, _ = gram_and_labels(probe, subject, np.dtype(np.float64))
    eigenvalues = all_eigenvalues(gram, overwrite=True)
    yield Vector(metrics.EIGENVALUES, eigenvalues, "train")
    yield Number(metrics.EIGENVALUE_MAX, float(eigenvalues[0]), "train")
    yield Number(metrics.TRACE, float(eigenvalues.sum()), "train")
    yield Number(metrics.EFFECTIVE_RANK, effective_rank(eigenvalues), "train")
