"""The probe `energy_concentration`."""

from collections.abc import Iterator

from linstudy import metrics
from linstudy.facts import Number
from linstudy.probes.subject import Finding, Subject, gram_and_labels
from linstudy.spec.probe import EnergyConcentrationProbe
from linstudy.tangent import energy_concentration, spectrum


def measure(probe: EnergyConcentrationProbe, subject: Subject) -> Iterator[Finding]:
    """‖Φ_K y‖ / ‖y‖ on the Gram of the model at this epoch."""
    gram, labels = gram_and_labels(probe, subject)
    found = spectrum(gram, probe.top, memory_budget=subject.resources.basis)
    yield Number(metrics.ENERGY_CONCENTRATION, float(energy_concentration(found.eigenvectors, labels)), "train")
