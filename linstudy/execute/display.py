"""What a person sees of an execution: one live line a run, or plain lines where the output is no terminal."""

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from linstudy.plan import Run, describe

SECONDS_BETWEEN_LINES = 30.0


class Display(Protocol):
    """Told by the coordinator what happens."""

    @abstractmethod
    def started(self, run: Run) -> None: ...

    @abstractmethod
    def progressed(self, run: Run, fraction: float, text: str) -> None: ...

    @abstractmethod
    def finished(self, run: Run, outcome: str, error: str | None, seconds: float) -> None: ...

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


class PlainDisplay(Display):
    """A line at the start and at the end of every run, and one now and then in a long one."""

    def __init__(self, write: Callable[[str], None]):
        self.write = write
        self.begun: dict[str, float] = {}
        self.told: dict[str, float] = {}

    def started(self, run: Run) -> None:
        self.begun[run.run_id] = self.told[run.run_id] = time.monotonic()
        self.write(f"{'running':<11} {run.run_id}  {describe(run.spec)}")

    def progressed(self, run: Run, fraction: float, text: str) -> None:
        now = time.monotonic()
        if now - self.told[run.run_id] >= SECONDS_BETWEEN_LINES:
            self.told[run.run_id] = now
            self.write(f"{'':<11} {run.run_id}  {text}  {time_left(now - self.begun[run.run_id], fraction)}")

    def finished(self, run: Run, outcome: str, error: str | None, seconds: float) -> None:
        self.write(ending(run, outcome, error, seconds))

    def note(self, text: str) -> None:
        self.write(text)

    def close(self) -> None:
        pass


class LiveDisplay(Display):
    """One line for each run at work, redrawn in place, under the lines of those that ended."""

    def __init__(self):
        from rich.progress import BarColumn, Progress, TextColumn

        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
        )
        self.progress.start()
        self.tasks = {}
        self.begun: dict[str, float] = {}

    def started(self, run: Run) -> None:
        self.begun[run.run_id] = time.monotonic()
        self.tasks[run.run_id] = self.progress.add_task(describe(run.spec), total=1.0, text="", left="")

    def progressed(self, run: Run, fraction: float, text: str) -> None:
        left = time_left(time.monotonic() - self.begun[run.run_id], fraction)
        self.progress.update(self.tasks[run.run_id], completed=fraction, text=text, left=left)

    def finished(self, run: Run, outcome: str, error: str | None, seconds: float) -> None:
        self.progress.remove_task(self.tasks.pop(run.run_id))
        self.note(ending(run, outcome, error, seconds))

    def note(self, text: str) -> None:
        self.progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self.progress.stop()
