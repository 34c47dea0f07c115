"""Where progress is shown: a live line for each worker's runs, or plain lines where the output is no terminal."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from linstudy.execute.progress import Count, Group
from linstudy.execute.terminal import Terminal
from linstudy.plan import Run, describe
from linstudy.text.layout import picture, wrap_words

if TYPE_CHECKING:
    from rich.console import RenderableType

SECONDS_BETWEEN_LINES = 30.0


class Screen(Protocol):
    """Told by the display what there is to see; a group is the runs that a worker was given at once."""

    @abstractmethod
    def begin(self, count: Count) -> None: ...

    @abstractmethod
    def add(self, group: Group, runs: Sequence[Run]) -> None: ...

    @abstractmethod
    def update(self, group: Group, run: Run) -> None: ...

    @abstractmethod
    def remove(self, group: Group) -> None: ...

    @abstractmethod
    def print(self, text: str) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class PlainScreen(Screen):
    """A line at the start of every run, and one now and then for runs that take long."""

    def __init__(self, terminal: Terminal):
        self._terminal = terminal
        self._shown: dict[Group, float] = {}

    def begin(self, count: Count) -> None:
        pass

    def add(self, group: Group, runs: Sequence[Run]) -> None:
        self._shown[group] = time.monotonic()
        for run in runs:
            self.print(f"{'running':<11} {run.run_id}  {describe(run.spec)}")

    def update(self, group: Group, run: Run) -> None:
        if time.monotonic() - self._shown[group] >= SECONDS_BETWEEN_LINES:
            self._shown[group] = time.monotonic()
            self.print(f"{'':<11} {run.run_id}  {group.text}  {group.left}".rstrip())

    def remove(self, group: Group) -> None:
        del self._shown[group]

    def print(self, text: str) -> None:
        self._terminal.print(text)

    def close(self) -> None:
        pass


class LiveScreen(Screen):
    """A line for each group and one for the count, redrawn in place, under the lines that stay."""

    def __init__(self, terminal: Terminal):
        from rich.console import Console
        from rich.live import Live

        self._groups: dict[Group, None] = {}
        self._count = Count()
        self._console = Console(file=cast(Any, terminal))
        self._live = Live(get_renderable=self._picture, console=self._console, transient=True)
        self._live.start()

    def begin(self, count: Count) -> None:
        self._count = count

    def add(self, group: Group, runs: Sequence[Run]) -> None:
        self._groups[group] = None

    def update(self, group: Group, run: Run) -> None:
        pass  # drawn anew several times a second

    def remove(self, group: Group) -> None:
        del self._groups[group]

    def print(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(wrap_words(text, self._console.width)), soft_wrap=True)

    def close(self) -> None:
        self._live.stop()

    def _picture(self) -> "RenderableType":
        from rich.text import Text

        workers = [(group.name, group.text, group.left) for group in tuple(self._groups)]
        count = (str(self._count), self._count.time_left) if self._count.total else ()
        return Text("\n".join(picture(workers, count, self._console.width)), no_wrap=True, overflow="crop")
