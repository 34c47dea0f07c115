"""What pages and pictures were made of, written into them, and whether the results have changed since."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linstudy.store.query import data_version
from linstudy.store.workspace import Workspace

PAGE = "index.html"

_MARK = re.compile(rb"linstudy data ([0-9a-f]+) of ([^\x00\"]+?) \.")
_HEAD = 4096
"""Bytes of a page or a picture that its mark is within."""


@dataclass(frozen=True)
class Mark:
    """What stands in every page and picture.

    Attributes:
        data: The version of the data, as `data_version` gives it.
        source: Where the data are from: the file of a workspace, or exports.
    """

    data: str
    source: str

    def __str__(self) -> str:
        return f"linstudy data {self.data} of {self.source} ."


def read_mark(path: Path) -> Mark | None:
    """The mark of a page or a PNG; None where there is none."""
    try:
        with path.open("rb") as file:
            found = _MARK.search(file.read(_HEAD))
    except OSError:
        return None
    return Mark(found[1].decode(), found[2].decode("utf-8", "replace")) if found else None


def describe_report(workspace: Workspace) -> Iterator[str]:
    """A line where the report of a workspace, or figures drawn since, show other results than it has now."""
    folder = workspace.root / "report"
    page = folder / PAGE
    marks = {path: read_mark(path) for path in (page, *sorted(folder.glob("*.png")))}
    # What was made of exports follows from these, whatever the workspace holds.
    own = {path: mark.data for path, mark in marks.items() if mark and mark.source == workspace.results.name}
    now = data_version(workspace.results) if own else ""
    stale = [path for path, data in own.items() if data != now]
    if page in stale:
        yield f"{folder}/: stale, results have changed since. Run: linstudy report"
    else:
        yield from (f"{path}: stale, results have changed since. Run: linstudy figure {path.stem}" for path in stale)
