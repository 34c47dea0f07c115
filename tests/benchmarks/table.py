"""What was measured, as Markdown."""

import dataclasses
from collections.abc import Iterable, Sequence

from measure import Timing

COLUMNS = ("setting", "what", "median", "× ours", "floor", "× floor", "of the matmul rate", "remark")


@dataclasses.dataclass(frozen=True)
class Floor:
    """The least operations of a setting.

    Attributes:
        operations: Those that the floor is counted from.
        useful: Those that the share of the matmul rate is counted from; the same ones if None.
        rate: Operations a second.
    """

    operations: float
    rate: float
    useful: float | None = None

    @property
    def seconds(self) -> float:
        """The time that the operations take at the rate."""
        return self.operations / self.rate

    def share(self, seconds: float) -> float:
        """The part of the rate that is reached if they take so long."""
        return (self.operations if self.useful is None else self.useful) / seconds / self.rate


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a table; what is None stays empty. `ratio` is to the line of ours."""

    setting: str
    what: str
    seconds: float | None = None
    ratio: float | None = None
    floor: Floor | None = None
    remark: str = ""

    @property
    def cells(self) -> list[str]:
        """What stands under each of `COLUMNS`."""
        found = [self.setting, self.what, _seconds(self.seconds), _number(self.ratio), *self._of_floor(), self.remark]
        return [cell.replace("|", "/") for cell in found]

    def _of_floor(self) -> list[str]:
        if self.floor is None or self.seconds is None:
            return ["", "", ""]
        over, share = self.seconds / self.floor.seconds, self.floor.share(self.seconds)
        return [_seconds(self.floor.seconds), _number(over), f"{share:.1%}"]


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the report: lines under a heading, and what their columns count. Empty columns are not shown."""

    title: str
    legend: str
    lines: Sequence[Line]
    columns: tuple[str, ...] = COLUMNS

    def __str__(self) -> str:
        rows = [line.cells for line in self.lines]
        shown = [place for place in range(len(self.columns)) if any(row[place] for row in rows)]
        head = [[self.columns[place] for place in shown], ["---"] * len(shown)]
        table = [*head, *([row[place] for place in shown] for row in rows)]
        return "\n".join([f"## {self.title}\n", f"{self.legend}\n", *(f"| {' | '.join(row)} |" for row in table), ""])


def compared(setting: str, timings: Iterable[Timing], floor: Floor | None = None) -> list[Line]:
    """Lines of one setting; the first timing is ours."""
    timings = list(timings)
    ours = timings[0].seconds

    def line(timing: Timing) -> Line:
        ratio = timing.seconds / ours if timing.seconds is not None and ours is not None else None
        return Line(setting, timing.name, timing.seconds, ratio, floor, timing.remark)

    return [line(timing) for timing in timings]


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 1e3:.3g} ms" if value < 0.1 else f"{value:,.0f} s" if value >= 1000 else f"{value:.3g} s"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
