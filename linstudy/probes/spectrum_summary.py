"""The probe `spectrum_summary`."""

from collections.abc import Iterator

import numpy as np

from linstudy import metrics
from linstudy.probes.subject import Found, Subject, gram_and_labels
from linstudy.spec.probe import SpectrumSummaryProbe


def measure(probe: SpectrumSummaryProbe, subject: Subject) -> Iterator[Found]:
    """All eigenvalues, and what sums them up."""
    gram, _ = gram_and_labels(subject, probe.samples)
    eigenvalues = np.linalg.eigvalsh(gram.astype(np.float64))[::-1]
    yield Found(metrics.EIGENVALUES, eigenvalues, "train")
    yield Found(metrics.EIGENVALUE_MAX, float(eigenvalues[0]), "train")
    yield Found(metrics.TRACE, float(eigenvalues.sum()), "train")
    yield Found(metrics.EFFECTIVE_RANK, float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum()), "train")
