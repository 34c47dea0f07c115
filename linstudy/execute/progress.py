"""How far runs are, and how long the rest will take."""

import time
from collections.abc import Collection, Mapping, Sequence

from linstudy.plan import Run, describe
from linstudy.text.amounts import duration, rough_time

SECONDS_TRUSTED = 30.0
"""Of estimated work, which weigh as much as what this execution took so far."""


class Pace:
    """How long the rest of a stage will take if it goes on as since it was first heard of.

    What was done before that, by an earlier attempt, has taken no time; a fraction that falls begins the next stage.
    """

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None
        self._last = 0.0

    def left(self, fraction: float) -> float | None:
        """In seconds; None where nothing can be said yet."""
        now = time.monotonic()
        if self._began is None or fraction < self._last:
            self._began = now, fraction
        self._last = fraction
        start, first = self._began
        return (now - start) * (1 - fraction) / (fraction - first) if first < fraction < 1 else None


class Group:
    """The runs, one or several, that a worker was given at once.

    Attributes:
        text: What the run that spoke last is at.
        seconds_left: How long the group will take from when that was told; None where it is not known.
        parted: Whether it was told that its runs are tried alone.
        has_done: Whether one of its runs is done.
    """

    def __init__(self, runs: Sequence[Run]):
        self.name = describe(runs[0].spec) if len(runs) == 1 else f"{len(runs)} runs like {describe(runs[0].spec)}"
        self.text = ""
        self.seconds_left: float | None = None
        self.parted = self.has_done = False
        self.began = time.monotonic()
        self._pace = Pace()
        self._fractions: dict[str, float | None] = {run.run_id: None for run in runs}

    @property
    def left(self) -> str:
        """The time left, in words; empty where it is not known."""
        return "" if self.seconds_left is None else f"{duration(self.seconds_left)} left"

    @property
    def run_ids(self) -> Collection[str]:
        """Those that have not ended; a copy, since a screen may ask while the coordinator goes on."""
        return tuple(self._fractions)

    def progress(self, run: Run, fraction: float, text: str) -> None:
        """Note how far one of its runs is."""
        self._fractions[run.run_id] = fraction
        self.text = text
        # of those that have spoken: each may go on from where an earlier attempt has left it
        known = [fraction for fraction in self._fractions.values() if fraction is not None]
        self.seconds_left = self._pace.left(sum(known) / len(known))

    def end(self, run: Run) -> bool:
        """Forget a run that has ended; whether it was the last one."""
        del self._fractions[run.run_id]
        return not self._fractions


class Count:
    """How many of a study's runs have ended, whatever their outcome, and how long the others will take.

    What runs says itself how long it takes on. Estimates say how what waits compares with what has ended, and that says
    how fast estimated work is done here, once there is enough of it.

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
        self._left = dict.fromkeys(left)
        self._estimates = estimates or {}
        self._workers = workers
        self._groups: dict[Group, None] = {}
        self._took = self._estimated = 0.0

    def start(self, group: Group) -> None:
        """A group begins."""
        self._groups[group] = None

    def leave(self, group: Group) -> None:
        """A group is over."""
        del self._groups[group]
        self._took += time.monotonic() - group.began if group.has_done else 0.0

    def end(self, run_id: str, is_done: bool = True) -> None:
        """Count a run; one that ends twice counts once. One that is not done says nothing about the pace."""
        if run_id in self._left:
            del self._left[run_id]
            self._estimated += self._estimates.get(run_id, 0.0) if is_done else 0.0

    @property
    def time_left(self) -> str:
        """In words; empty where nothing is known."""
        pace = (self._took + SECONDS_TRUSTED) / (self._estimated + SECONDS_TRUSTED)
        running = {group: self._rest(group, pace) for group in tuple(self._groups)}
        waiting = set(tuple(self._left)).difference(*(group.run_ids for group in running))
        known = [self._estimates[run_id] for run_id in waiting if run_id in self._estimates]
        rests = [rest for rest in running.values() if rest is not None]
        if not known and not rests:
            return ""
        left = max((pace * sum(known) + sum(rests)) / min(self._workers, len(known) + len(rests)), *rests, 0.0)
        unknown = len(waiting) - len(known) + sum(len(group.run_ids) for group in running if running[group] is None)
        more = f", and {unknown} of unknown time" if unknown else ""
        return f"about {rough_time(left)} left{more}"

    def _rest(self, group: Group, pace: float) -> float | None:
        """What a group says itself, else what is left of its estimate; None if that is not known."""
        if group.seconds_left is not None:
            return group.seconds_left
        known = [self._estimates[run_id] for run_id in group.run_ids if run_id in self._estimates]
        return max(pace * sum(known) - (time.monotonic() - group.began), 0.0) if known else None

    def __str__(self) -> str:
        return f"{self.total - len(self._left)} of {self.total} runs"
