"""How far runs are, and how long the rest will take."""

import time
from collections.abc import Sequence

from linstudy.plan import Run, describe


def duration(seconds: float) -> str:
    """A time for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


class Count:
    """How many of a study's runs have ended, whatever their outcome."""

    def __init__(self, total: int = 0, before: int = 0):
        self.total = total
        self._before = before
        self._ended: set[str] = set()

    def end(self, run_id: str) -> None:
        """Count a run; one that ends twice counts once."""
        self._ended.add(run_id)

    def __str__(self) -> str:
        return f"{min(self._before + len(self._ended), self.total)} of {self.total} runs"


class Pace:
    """How long the rest of a stage will take if it goes on as since it was first heard of.

    What was done before that, by an earlier attempt, has taken no time; a fraction that falls begins the next stage.
    """

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None
        self._last = 0.0

    def left(self, fraction: float) -> str:
        """In words; empty where nothing can be said yet."""
        now = time.monotonic()
        if self._began is None or fraction < self._last:
            self._began = now, fraction
        self._last = fraction
        start, first = self._began
        if not first < fraction < 1:
            return ""
        return f"{duration((now - start) * (1 - fraction) / (fraction - first))} left"


class Group:
    """The runs, one or several, that a worker was given at once.

    Attributes:
        text: What the run that spoke last is at.
        left: How long the group will take from now.
        parted: Whether it was told that its runs are tried alone.
    """

    def __init__(self, runs: Sequence[Run]):
        self.name = describe(runs[0].spec) if len(runs) == 1 else f"{len(runs)} runs like {describe(runs[0].spec)}"
        self.text = self.left = ""
        self.parted = False
        self._pace = Pace()
        self._fractions = {run.run_id: 0.0 for run in runs}

    def progress(self, run: Run, fraction: float, text: str) -> None:
        """Note how far one of its runs is."""
        self._fractions[run.run_id] = fraction
        self.text, self.left = text, self._pace.left(sum(self._fractions.values()) / len(self._fractions))

    def end(self, run: Run) -> bool:
        """Forget a run that has ended; whether it was the last one."""
        del self._fractions[run.run_id]
        return not self._fractions
