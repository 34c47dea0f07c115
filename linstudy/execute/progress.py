"""How far runs are, and how long the rest will take."""

import time
from collections.abc import Collection, Mapping, Sequence

from linstudy.estimate.text import rough_time
from linstudy.plan import Run, describe


def duration(seconds: float) -> str:
    """A time for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


SECONDS_TRUSTED = 30.0
"""Of estimated work, which weigh as much as what this execution took so far."""


class Count:
    """How many of a study's runs have ended, whatever their outcome, and how long the others will take.

    Estimates say how they compare with one another; how fast they come, this execution says itself, once it has run
    for a while.

    Args:
        left: The runs that are to be run.
        estimates: Seconds of some of them.
        workers: How many runs are made at once.
    """

    def __init__(
        self,
        total: int = 0,
        left: Collection[str] = (),
        estimates: Mapping[str, float] | None = None,
        workers: int = 1,
    ):
        self.total = total
        self._left = dict.fromkeys(left, 0.0)
        self._estimates = estimates or {}
        self._workers = workers
        self._began = time.monotonic()
        self._ended = 0.0

    def progress(self, run_id: str, fraction: float) -> None:
        """Note how far a run is; another stage of it may begin at 0 again, but what is done stays so."""
        if run_id in self._left:
            self._left[run_id] = max(self._left[run_id], fraction)

    def end(self, run_id: str, is_done: bool = True) -> None:
        """Count a run; one that ends twice counts once. One that is not done was made as far as it came."""
        if (fraction := self._left.pop(run_id, None)) is not None:
            self._ended += self._estimates.get(run_id, 0.0) * (1.0 if is_done else fraction)

    @property
    def time_left(self) -> str:
        """In words; empty where the estimates know none of the runs."""
        known = {run_id: seconds for run_id in self._left if (seconds := self._estimates.get(run_id)) is not None}
        if not known:
            return ""
        begun = sum(self._left[run_id] * seconds for run_id, seconds in known.items())
        took = (time.monotonic() - self._began) * self._workers
        pace = (took + SECONDS_TRUSTED) / (self._ended + begun + SECONDS_TRUSTED)
        left = pace * (sum(known.values()) - begun) / min(self._workers, len(known))
        unknown = len(self._left) - len(known)
        more = f", and {unknown} of unknown time" if unknown else ""
        return f"about {rough_time(left)} left{more}"

    def __str__(self) -> str:
        return f"{self.total - len(self._left)} of {self.total} runs"


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
