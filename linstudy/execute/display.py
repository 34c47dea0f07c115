"""What a person sees of an execution."""

from collections.abc import Collection, Mapping, Sequence

from linstudy.execute.progress import Count, Group
from linstudy.execute.screen import LiveScreen, PlainScreen, Screen
from linstudy.execute.terminal import Terminal
from linstudy.plan import Run, describe
from linstudy.text.amounts import duration
from linstudy.text.excerpt import excerpt

REST_OF_ERROR = "linstudy status --failed"


def make_display(
    terminal: Terminal, *others: Screen, estimates: Mapping[str, float] | None = None, workers: int = 1
) -> "Display":
    """A live one on a real terminal, else plain lines; and what `others` show."""
    screen = LiveScreen(terminal) if terminal.isatty() else PlainScreen(terminal)
    return Display(screen, *others, estimates=estimates, workers=workers)


class Display:
    """Told by the coordinator what happens.

    Args:
        estimates: Seconds of some runs, by id.
        workers: How many runs are made at once.
    """

    def __init__(self, *screens: Screen, estimates: Mapping[str, float] | None = None, workers: int = 1):
        self._screens = screens
        self._estimates, self._workers = estimates, workers
        self._groups: dict[str, Group] = {}
        self._count = Count()

    def begin(self, total: int, left: Collection[str]) -> None:
        """A study of so many runs begins, of which some are left to be run."""
        self._count = Count(total, left, self._estimates, self._workers)
        for screen in self._screens:
            screen.begin(self._count)

    def started(self, runs: Sequence[Run]) -> None:
        """A worker was given these runs at once."""
        group = Group(runs)
        self._groups.update(dict.fromkeys((run.run_id for run in runs), group))
        self._count.start(group)
        for screen in self._screens:
            screen.add(group, runs)

    def progressed(self, run: Run, fraction: float, text: str) -> None:
        """A run is so far, from 0 to 1; another stage of it may begin at 0 again."""
        group = self._groups[run.run_id]
        group.progress(run, fraction, text)
        for screen in self._screens:
            screen.update(group, run)

    def finished(
        self, run: Run, outcome: str, error: str | None, seconds: float, blocked: Collection[str] = ()
    ) -> None:
        """A run has ended for good, and others with it, which will not be run without it."""
        self._groups[run.run_id].has_done |= outcome == "done"
        self._remove(run)
        if outcome != "interrupted":
            self._count.end(run.run_id, is_done=outcome == "done")
            for run_id in blocked:
                self._count.end(run_id, is_done=False)
        self.note(ending(run, outcome, error, f"{duration(seconds)}  ({self._count})"))

    def parted(self, run: Run, error: str | None) -> None:
        """A run failed together with others, and will be started again alone."""
        group = self._remove(run)
        if not group.parted:
            group.parted = True
            self.note(f"{group.name}: failed together, so each is tried alone{_reason(error)}")

    def postponed(self, run: Run, error: str | None) -> None:
        """A run waits until what it reads is made again."""
        self._remove(run)
        self.note(f"{'waits':<11} {run.run_id}  {describe(run.spec)}: a file is made again first{_reason(error)}")

    def moved(self, run: Run, error: str | None, to: str = "another worker") -> None:
        """A run cannot go on where it was, since its worker or its memory is lost; it waits for another worker."""
        self._remove(run)
        self.note(f"{'waits':<11} {run.run_id}  {describe(run.spec)}: for {to}{_reason(error)}")

    def note(self, text: str) -> None:
        """Something else that is to be said."""
        for screen in self._screens:
            screen.print(text)

    def close(self) -> None:
        """The execution is over."""
        for screen in self._screens:
            screen.close()

    def _remove(self, run: Run) -> Group:
        group = self._groups.pop(run.run_id)
        if group.end(run):
            self._count.leave(group)
            for screen in self._screens:
                screen.remove(group)
        return group


def ending(run: Run, outcome: str, error: str | None, remark: str) -> str:
    """The line that stays of a run, and why it is not done."""
    reason = "" if outcome == "done" else _reason(error)
    return f"{outcome:<11} {run.run_id}  {describe(run.spec)}  {remark}{reason}"


def _reason(error: str | None) -> str:
    return f"\n    {excerpt(error, REST_OF_ERROR)}" if error else ""
