"""The whole Gram of LeNet, against four minutes and 22 GB, and its first thousand eigenpairs."""

from pathlib import Path

from alone import measured_alone
from measure import Timing
from settings import Settings
from table import Floor, Line, Section

SAMPLES, TOP = 60_000, 1000
GOAL_SECONDS, GOAL_BYTES = 240.0, 22e9

LEGEND = """LeNet's Gram of 60,000 random images of CIFAR-10's shape, made once in a process of its own, compilation \
included. Peak memory is the process's largest resident set, pages of the file that it has mapped among them. Goals on \
two cores: under 240 s, within 22 GB. Floor as in the first table, at the rate measured before and after. The spectrum \
is of this Gram where it lies, in the same process, whose peak is told again: no second Gram is formed."""


def section(settings: Settings, out: str, folder: Path | None) -> Section:
    """One Gram, to memory or to a file."""
    samples, top = (64, 5) if settings.smoke else (SAMPLES, TOP)
    before, _ = settings.with_rate([])
    where = [] if folder is None else ["--folder", str(folder)]
    found = measured_alone("full_gram.py", settings.lenet, str(samples), "--out", out, "--top", str(top), *where)
    after, _ = settings.with_rate([])
    side = int(before[0].name.split("³")[0])
    rate = 2 * side**3 * 2 / sum(timing.seconds or 0 for timing in (*before, *after))
    floor = Floor(found["operations"], rate, useful=found["useful"])
    remarks = [f"peak {found['peak'] / 1e9:.3g} GB", f"error of some entries {found['error']:.1e}"]
    if not settings.smoke:
        remarks += [_met("time", found["seconds"] <= GOAL_SECONDS), _met("memory", found["peak"] <= GOAL_BYTES)]
    setting, what = f"LeNet, m = {samples:,}", f"linstudy, to {'a memory-mapped file' if out == 'file' else out}"
    whole = Line(setting, what, found["seconds"], floor=floor, remark="; ".join(remarks))
    pairs = _spectrum_line(setting, top, **found["spectrum"])
    products = [_product_line(setting, timing) for timing in (*before, *after)]
    return Section(f"The whole Gram, {SAMPLES:,}²", LEGEND, [whole, pairs, *products])


def _met(what: str, reached: bool) -> str:
    return f"goal of {what} {'met' if reached else 'missed'}"


def _spectrum_line(setting: str, top: int, seconds: float, peak: float, residual: float, own: float) -> Line:
    said = f"residuals up to {residual:.0e} of λ₁, {own:.0e} of λ_j; peak {peak / 1e9:.3g} GB"
    return Line(setting, f"linstudy spectrum, top {top:,}", seconds, remark=said)


def _product_line(setting: str, timing: Timing) -> Line:
    return Line(setting, timing.name, timing.seconds, remark=timing.remark)
