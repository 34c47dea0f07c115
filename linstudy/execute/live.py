"""What a study that runs shows, for other terminals: a small file, written anew while it changes."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from linstudy.execute.progress import Count, Group
from linstudy.execute.screen import Screen
from linstudy.plan import Run
from linstudy.store.workspace import Workspace
from linstudy.text.amounts import duration
from linstudy.text.layout import picture, wrap_words

SECONDS_BETWEEN_WRITINGS = 1.0
SECONDS_UNTIL_SILENT = 30.0
"""Since the last writing, after which it is said when that was: a long step of a run tells nothing meanwhile."""

LAST_LINES = 5


@dataclass(frozen=True)
class Live:
    """What a study that runs shows.

    Attributes:
        written: When, in seconds since 1970.
        workers: Of each worker's runs the name, what it is at, and the time that it says is left.
        count: How many runs have ended, and how long the others will take.
        lines: What was said last, of runs that ended and else.
    """

    study: str
    written: float
    workers: Sequence[tuple[str, str, str]] = ()
    count: Sequence[str] = ()
    lines: Sequence[str] = ()

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What the file says; None if there is none, or it is another version's."""
        try:
            return TypeAdapter(cls).validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None


class LiveFile(Screen):
    """Writes what there is to see into a file, at most once a second, and removes it at the end.

    What cannot be written is not shown: it is never worth a study.
    """

    def __init__(self, path: Path, study: str):
        self._path, self._study = path, study
        self._groups: dict[Group, None] = {}
        self._count = Count()
        self._lines: list[str] = []
        self._written = -SECONDS_BETWEEN_WRITINGS
        self._is_ours = False

    def begin(self, count: Count) -> None:
        self._count, self._is_ours = count, True
        self._write()

    def add(self, group: Group, runs: Sequence[Run]) -> None:
        self._groups[group] = None
        self._write()

    def update(self, group: Group, run: Run) -> None:
        self._write()

    def remove(self, group: Group) -> None:
        del self._groups[group]
        self._write()

    def print(self, text: str) -> None:
        self._lines = [*self._lines, text][-LAST_LINES:]
        self._write()

    def close(self) -> None:
        if self._is_ours:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        """Unless another study, for which this one did not begin, runs in the workspace."""
        if not self._is_ours or time.monotonic() - self._written < SECONDS_BETWEEN_WRITINGS:
            return
        self._written = time.monotonic()
        workers = [(group.name, group.text, group.left) for group in self._groups]
        live = Live(self._study, time.time(), workers, (str(self._count), self._count.time_left), self._lines)
        temporary = self._path.with_suffix(".writing")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(asdict(live)), encoding="utf-8")
            os.replace(temporary, self._path)


def watch(workspace: Workspace) -> None:
    """Show on this terminal what runs in a workspace, anew every second, until nothing does."""
    from rich.console import Console
    from rich.live import Live as Redrawn
    from rich.text import Text

    console = Console()

    def now() -> Text:
        return Text("\n".join(describe_live(workspace, console.width)), no_wrap=True, overflow="crop")

    with Redrawn(get_renderable=now, console=console, refresh_per_second=1 / SECONDS_BETWEEN_WRITINGS):
        while workspace.holder() is not None:
            time.sleep(SECONDS_BETWEEN_WRITINGS)


def describe_live(workspace: Workspace, width: int) -> Iterator[str]:
    """What runs in a workspace now, in lines of at most `width` columns; that nothing does, where it is so."""
    holder, live = workspace.holder(), Live.read(workspace.live)
    if holder is None:
        yield "nothing runs in this workspace"
        if live is not None:
            yield f"the process that ran {live.study} is gone, as if it was killed. The same `linstudy run` goes on"
        return
    if live is None:
        yield f"{holder} is at work in this workspace, and has told nothing yet"
        return
    silent = time.time() - live.written
    last = f", heard of {duration(silent)} ago" if silent > SECONDS_UNTIL_SILENT else ""
    yield from wrap_words(f"{live.study}: {holder}{last}", width).splitlines()
    for text in live.lines:
        yield from wrap_words(text, width).splitlines()
    yield from picture(live.workers, live.count, width)
