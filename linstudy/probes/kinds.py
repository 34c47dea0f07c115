"""The table of the kinds of probe."""

from collections.abc import Callable, Iterator

from linstudy.probes import alignment, energy_concentration, rkhs_norm, spectrum_summary
from linstudy.probes.subject import Finding

PROBES: dict[str, Callable[..., Iterator[Finding]]] = {
    "alignment": alignment.measure,
    "energy_concentration": energy_concentration.measure,
    "spectrum_summary": spectrum_summary.measure,
    "rkhs_norm": rkhs_norm.measure,
}
