"""The ends of logs and other long texts, as many as a page has room for."""

from linstudy.store.workspace import Workspace

END = 2_000
"""Bytes of a log, its last ones."""

MOST_CHARACTERS = 1_000_000
"""Characters of all texts of one kind on a page."""


class TextBudget:
    """Room for texts; one that has been taken costs nothing again."""

    def __init__(self, room: int = MOST_CHARACTERS):
        self._room = room
        self._taken: set[str] = set()

    def take(self, text: str | None) -> str | None:
        """The text, or None where it has no room."""
        if text is None or text in self._taken:
            return text
        if len(text) > self._room:
            return None
        self._room -= len(text)
        self._taken.add(text)
        return text


def read_end(workspace: Workspace, log: str | None) -> str | None:
    """The end of an attempt's log; None where there is none.

    Args:
        log: Its path relative to the workspace. It may come from another machine: what lies elsewhere than the logs of
            this workspace is not read.
    """
    if log is None:
        return None
    try:
        path = (workspace.root / log).resolve()
        if path.parent != workspace.logs.resolve():
            return None
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - END))
            text = file.read().decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    return f"…{text}" if size > END else text
