"""Estimates in words."""

from collections import Counter
from collections.abc import Collection

from linstudy.estimate.estimates import Estimate
from linstudy.text.amounts import rough_size, rough_time

BASES = {"stored": "by stored runs of their setting", "like": "by stored runs like them", "counted": "by operations"}


def describe_estimate(estimate: Estimate) -> str:
    """`~4 min, 1.2 GB, 34 MB of files`, of what is known."""
    time = "time unknown" if estimate.seconds is None else f"~{rough_time(estimate.seconds)}"
    memory = [] if estimate.memory is None else [rough_size(estimate.memory)]
    files = [f"{rough_size(estimate.disk)} of files"] if estimate.disk else []
    return ", ".join([time, *memory, *files])


def describe_total(estimates: Collection[Estimate]) -> str:
    """What some runs take together, one after another, and where that is from; empty for none."""
    if not estimates:
        return ""
    known = [one.seconds for one in estimates if one.seconds is not None]
    time = f"about {rough_time(sum(known))} on this machine" if known else "time unknown"
    peak = max((one.memory for one in estimates if one.memory is not None), default=None)
    scratch = max(one.scratch for one in estimates)
    disks = [one.disk for one in estimates if one.disk is not None]
    parts = [
        time,
        *([] if peak is None else [f"peak {rough_size(peak)}"]),
        *([f"{rough_size(sum(disks))} of files"] if disks else []),
        *([f"{rough_size(scratch)} of scratch"] if scratch else []),
    ]
    return f"{', '.join(parts)} ({_bases(estimates)})"


def _bases(estimates: Collection[Estimate]) -> str:
    """From what the times are; how many are unknown."""
    counts = Counter(one.basis for one in estimates)
    told = [f"{counts[basis]} {words}" for basis, words in BASES.items() if counts[basis]]
    unknown = counts["unknown"]
    return ", ".join([*told, *([f"{unknown} run{'s' * (unknown > 1)} unknown"] if unknown else [])])
