"""The whole Gram of LeNet, against four minutes and 22 GB."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from measure import Timing
from settings import Settings
from table import Floor, Line, Section

SAMPLES = 60_000
GOAL_SECONDS, GOAL_BYTES = 240.0, 22e9

LEGEND = """LeNet's Gram of 60,000 random images of CIFAR-10's shape, made once in a process of its own, compilation \
included. Peak memory is the process's largest resident set, pages of the file that it has mapped among them. Goals on \
two cores: under 240 s, within 22 GB. Floor as in the first table, at the rate measured before and after."""


def section(settings: Settings, out: str, folder: Path | None) -> Section:
    """One Gram, to memory or to a file."""
    samples = 64 if settings.smoke else SAMPLES
    before, _ = settings.with_rate([])
    found = _measured(samples, out, folder)
    after, _ = settings.with_rate([])
    side = int(before[0].name.split("³")[0])
    rate = 2 * side**3 * 2 / sum(timing.seconds or 0 for timing in (*before, *after))
    floor = Floor(found["operations"], rate, useful=found["useful"])
    remarks = [f"peak {found['peak'] / 1e9:.3g} GB", f"error of some entries {found['error']:.1e}"]
    if not settings.smoke:
        remarks += [_met("time", found["seconds"] <= GOAL_SECONDS), _met("memory", found["peak"] <= GOAL_BYTES)]
    setting, what = f"LeNet, m = {samples:,}", f"linstudy, to {'a memory-mapped file' if out == 'file' else out}"
    whole = Line(setting, what, found["seconds"], floor=floor, remark="; ".join(remarks))
    products = [_product_line(setting, timing) for timing in (*before, *after)]
    return Section(f"The whole Gram, {SAMPLES:,}²", LEGEND, [whole, *products])


def _met(what: str, reached: bool) -> str:
    return f"goal of {what} {'met' if reached else 'missed'}"


def _product_line(setting: str, timing: Timing) -> Line:
    return Line(setting, timing.name, timing.seconds, remark=timing.remark)


def _measured(samples: int, out: str, folder: Path | None) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).with_name("full_gram.py")), str(samples), "--out", out]
    if folder is not None:
        command += ["--folder", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)
