"""YAML as data, with the place of every value."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linstudy.spec import limits
from linstudy.spec.errors import StudyError, capped
from linstudy.spec.nodes import Entry, Node, Position, Refusal, compose

__all__ = ["Document", "Position", "TreePath", "parse_argument", "parse_document", "read_document"]

TreePath = tuple[str | int, ...]

_NEIGHBOURS = 5


@dataclass(frozen=True)
class Document:
    """A parsed YAML text. One from the command line has no places."""

    source: str
    text: str
    root: Node
    has_lines: bool = True

    @property
    def tree(self) -> Any:
        """The text as plain values."""
        return self.root.value

    def position(self, path: TreePath, *, key: bool = False) -> Position | None:
        """Where the value at a path is, or its key, or else the nearest thing around it that has a place."""
        for entry in reversed(self._entries(path)):
            places = (entry.key, entry.place) if key else (entry.place, entry.key)
            if found := places[0] or places[1]:
                return found
        return None

    def _entries(self, path: TreePath) -> list[Entry]:
        """What is written on the way to a path, as far as it leads."""
        entries: list[Entry] = []
        node = self.root
        for element in path if self.has_lines else ():
            if element not in node.entries:
                break
            entries.append(node.entries[element])
            node = entries[-1].node
        return entries


def read_document(path: Path) -> Document:
    """Parse a YAML file that must hold a mapping.

    Raises:
        StudyError: If the file cannot be read, is not YAML, goes beyond a limit, or is not a mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limits.TEXT + 1)  # no more, whatever stands behind the path
        text = content.decode("utf-8-sig") if len(content) <= limits.TEXT else None
    except FileNotFoundError:
        raise StudyError(f"{path}: there is no such file.{_neighbours(path.parent, path.stem)}") from None
    except IsADirectoryError:
        raise StudyError(f"{path}: is a folder; name one of its files.{_neighbours(path)}") from None
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: is not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from None
    if text is None:
        raise StudyError(f"{path}: is longer than a study may be. Allowed: {limits.TEXT:,} bytes")
    return parse_document(text, str(path))


def parse_document(text: str, source: str) -> Document:
    """Parse a YAML text that must be a mapping; see `read_document`."""
    root = _compose(text, source, has_lines=True)
    if not isinstance(root.value, dict):
        found = "an empty file" if root.value is None else _kind(root.value)
        raise StudyError(f"{source}: found {found}; a study is a mapping of keys, such as study: and data:")
    return Document(source, text, root)


def parse_argument(text: str, source: str) -> Document:
    """Parse any YAML value from the command line, which has no lines."""
    return Document(source, text, _compose(text, source, has_lines=False), has_lines=False)


def _compose(text: str, source: str, *, has_lines: bool) -> Node:
    try:
        return compose(text) or Node(None)
    except Refusal as refusal:
        place = (
            ":".join(map(str, (source, *refusal.position))) + " " if refusal.position and has_lines else f"{source}:"
        )
        raise StudyError(capped(f"{place} {refusal}")) from None


def _neighbours(folder: Path, name: str = "") -> str:
    """The studies in a folder, or if there is none in studies/, those nearest to a name first."""
    found = sorted((folder if folder.is_dir() else Path("studies")).glob("*.y*ml"))
    found.sort(key=lambda file: -difflib.SequenceMatcher(None, file.stem, name).ratio())
    names, more = ", ".join(map(str, found[:_NEIGHBOURS])), len(found) - _NEIGHBOURS
    return f" Studies there: {names}{f' and {more} more' if more > 0 else ''}" if found else ""


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a single value"
