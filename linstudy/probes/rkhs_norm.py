"""The probe `rkhs_norm`."""

from collections.abc import Iterator

from linstudy import metrics
from linstudy.facts import Number
from linstudy.probes.subject import Finding, Subject, gram_and_labels
from linstudy.spec.probe import RkhsNormProbe
from linstudy.tangent import generalization_bound, rkhs_norm, rkhs_norm_bound, spectrum


def measure(probe: RkhsNormProbe, subject: Subject) -> Iterator[Finding]:
    """The norm of the labels in the tangent space, its lower bound, and the bound on the risk that it gives."""
    gram, labels = gram_and_labels(probe, subject)
    norm, remainder = rkhs_norm(spectrum(gram, len(gram)), labels, cutoff=probe.cutoff)
    yield Number(metrics.RKHS_NORM, float(norm), "train")
    yield Number(metrics.RKHS_REMAINDER, float(remainder), "train")
    yield Number(metrics.RKHS_NORM_BOUND, float(rkhs_norm_bound(gram, labels)), "train")
    yield Number(metrics.GENERALIZATION_BOUND, float(generalization_bound(gram, norm)), "train")
