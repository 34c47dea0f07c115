"""What a person sees: a live line for each worker's runs, or plain lines where the output is no terminal."""

import contextlib
import os
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from linstudy.plan import Run, describe

SECONDS_BETWEEN_LINES = 30.0


class Display(Protocol):
    """Told by the coordinator what happens."""

    @abstractmethod
    def started(self, runs: Sequence[Run]) -> None: ...

    @abstractmethod
    def progressed(self, run: Run, fraction: float, text: str) -> None: ...

    @abstractmethod
    def finished(self, run: Run, outcome: str, error: str | None, seconds: float) -> None: ...

    @abstractmethod
    def parted(self, run: Run, error: str | None) -> None: ...

    @abstractmethod
    def note(self, text: str) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


def ending(run: Run, outcome: str, error: str | None, seconds: float) -> str:
    """The line that stays of a run."""
    line = f"{outcome:<11} {run.run_id}  {describe(run.spec)}  {_duration(seconds)}"
    return f"{line}\n    {error}" if error and outcome != "done" else line


def time_left(seconds: float, fraction: float) -> str:
    """How long the rest will take if it goes on as before."""
    return f"{_duration(seconds * (1 - fraction) / fraction)} left" if 0 < fraction < 1 else ""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


@contextlib.contextmanager
def _without_reader() -> Iterator[None]:
    """Go on where nobody reads any more: `| head` has seen enough, the terminal is closed."""
    try:
        yield
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _Group:
    """The runs, one or several, that a worker was given at once."""

    def __init__(self, runs: Sequence[Run]):
        self.name = describe(runs[0].spec) if len(runs) == 1 else f"{len(runs)} runs like {describe(runs[0].spec)}"
        self.begun = self.told = time.monotonic()
        self.parted = False
        self._fractions = {run.run_id: 0.0 for run in runs}

    def progress(self, run: Run, fraction: float) -> tuple[float, str]:
        """How far the group is, and how long the rest will take, now that one of its runs is so far."""
        self._fractions[run.run_id] = fraction
        mean = sum(self._fractions.values()) / len(self._fractions)
        return mean, time_left(time.monotonic() - self.begun, mean)

    def part(self, error: str | None) -> str | None:
        """What to say of the first of its runs that is to be tried alone; None for the others."""
        if self.parted:
            return None
        self.parted = True
        return f"{self.name}: failed together, so each is tried alone\n    {error}"

    def end(self, run: Run) -> bool:
        """Whether the run was the last one."""
        del self._fractions[run.run_id]
        return not self._fractions


class PlainDisplay(Display):
    """A line at the start and at the end of every run, and one now and then for runs that take long."""

    def __init__(self, write: Callable[[str], None]):
        self._write = write
        self.groups: dict[str, _Group] = {}

    def started(self, runs: Sequence[Run]) -> None:
        self.groups.update(dict.fromkeys((run.run_id for run in runs), _Group(runs)))
        for run in runs:
            self.note(f"{'running':<11} {run.run_id}  {describe(run.spec)}")

    def progressed(self, run: Run, fraction: float, text: str) -> None:
        group = self.groups[run.run_id]
        _, left = group.progress(run, fraction)
        if time.monotonic() - group.told >= SECONDS_BETWEEN_LINES:
            group.told = time.monotonic()
            self.note(f"{'':<11} {run.run_id}  {text}  {left}")

    def finished(self, run: Run, outcome: str, error: str | None, seconds: float) -> None:
        self.groups.pop(run.run_id).end(run)
        self.note(ending(run, outcome, error, seconds))

    def parted(self, run: Run, error: str | None) -> None:
        group = self.groups.pop(run.run_id)
        group.end(run)
        if text := group.part(error):
            self.note(text)

    def note(self, text: str) -> None:
        with _without_reader():
            self._write(text)

    def close(self) -> None:
        pass


class LiveDisplay(Display):
    """One line for what each worker is at, redrawn in place, under the lines of the runs that ended."""

    def __init__(self):
        from rich.progress import BarColumn, Progress, TextColumn

        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
        )
        self.progress.start()
        self.groups: dict[str, _Group] = {}
        self.tasks = {}

    def started(self, runs: Sequence[Run]) -> None:
        group = _Group(runs)
        self.groups.update(dict.fromkeys((run.run_id for run in runs), group))
        self.tasks[group] = self.progress.add_task(group.name, total=1.0, text="", left="")

    def progressed(self, run: Run, fraction: float, text: str) -> None:
        group = self.groups[run.run_id]
        done, left = group.progress(run, fraction)
        self.progress.update(self.tasks[group], completed=done, text=text, left=left)

    def finished(self, run: Run, outcome: str, error: str | None, seconds: float) -> None:
        self._remove(run)
        self.note(ending(run, outcome, error, seconds))

    def parted(self, run: Run, error: str | None) -> None:
        if text := self._remove(run).part(error):
            self.note(text)

    def note(self, text: str) -> None:
        with _without_reader():
            self.progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        with _without_reader():
            self.progress.stop()

    def _remove(self, run: Run) -> _Group:
        group = self.groups.pop(run.run_id)
        if group.end(run):
            self.progress.remove_task(self.tasks.pop(group))
        return group
