"""What came of runs that were computed anew, as a table."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from linstudy.plan import Run
from linstudy.store.comparison import Difference
from linstudy.store.query import Result


@dataclass(frozen=True)
class Finding:
    """What came of a run that was computed anew.

    Attributes:
        status: That of the attempt now.
        changes: What the two attempts were made by and on, where that differs: then and now.
    """

    run: Run
    status: str
    error: str | None
    differences: Sequence[Difference]
    changes: Mapping[str, tuple[str, str]]

    def is_within(self, tolerance: float) -> bool:
        """Whether it is done, and nothing of it differs by more."""
        return self.status == "done" and all(one.largest <= tolerance for one in self.differences)


def describe_findings(findings: Iterable[Finding], tolerance: float) -> Result:
    """The findings as a table."""
    rows = [row for finding in findings for row in _rows(finding, tolerance)]
    return Result(("run", "what", "largest_difference", "at", "verdict", "versions"), rows)


def _rows(finding: Finding, tolerance: float) -> Iterator[tuple[object, ...]]:
    run = f"{finding.run.kind} {finding.run.run_id}"
    versions = ", ".join(f"{name} {then} -> {now}" for name, (then, now) in finding.changes.items()) or "the same"
    if finding.status != "done":
        reason = (finding.error or "").partition("\n")[0]
        yield run, "", "", "", f"{finding.status}: {reason}" if reason else finding.status, versions
    for one in finding.differences:
        lost = f" ({one.unknown} more have no sound file to compare with)" if one.unknown else ""
        largest = (
            "" if not one.count else "missing or of another shape" if math.isinf(one.largest) else f"{one.largest:.2g}"
        )
        yield run, f"{one.what}: {one.count:,}{lost}", largest, one.place, _verdict(one, tolerance), versions


def _verdict(one: Difference, tolerance: float) -> str:
    if not one.count:
        return "not compared"
    if one.largest == 0:
        return "the same bits"
    return f"within {tolerance:g}" if one.largest <= tolerance else "differs"
