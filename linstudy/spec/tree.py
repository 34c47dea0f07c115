"""A study's values, each with the text it came from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linstudy.spec import limits
from linstudy.spec.document import Document, TreePath

_MISSING = object()
_POSITION = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Origin:
    """A path of a document, and whether the key there is meant or the value.

    `is_axis` says that nothing is written of the thing itself: it came to be by what is written at the path.
    """

    document: Document
    path: TreePath
    at_key: bool = False
    is_axis: bool = False


@dataclass(frozen=True, slots=True)
class _Replacement:
    """What was put at a path: its value came from `origin`, the path itself was written at `axis`.

    `existing` is how much of the path was there before; the rest was made on the way. No `origin`: nobody wrote it.
    """

    path: TreePath
    existing: int
    document: Document
    origin: TreePath | None
    axis: TreePath

    def origin_of(self, path: TreePath, at_key: bool) -> Origin | None:
        within = path[: len(self.path)] == self.path
        on_the_way = len(self.path) > len(path) > self.existing and self.path[: len(path)] == path
        if on_the_way or (within and self.origin is None):
            return Origin(self.document, self.axis, at_key=True, is_axis=True)
        if not within or self.origin is None:
            return None
        if at_key and path == self.path:
            return Origin(self.document, self.axis, at_key=True)
        return Origin(self.document, self.origin + path[len(self.path) :], at_key)


@dataclass(frozen=True, slots=True)
class Tree:
    """Plain values, and which document's path each replaced part came from; the last replacement wins."""

    value: Any
    document: Document
    replacements: tuple[_Replacement, ...] = ()

    def replace(
        self, path: TreePath, value: Any, document: Document, *, origin: TreePath | None, axis: TreePath
    ) -> "Tree":
        """A tree with `value` at `path`.

        Args:
            origin: Where in `document` the value is written; None for a default.
            axis: Where in `document` the path is written.

        Raises:
            LookupError: If the path leads into something that is no mapping, beyond the end of a list, or too deep.
        """
        if len(path) > limits.DEPTH:
            raise LookupError
        replacement = _Replacement(path, _existing(self.value, path), document, origin, axis)
        return Tree(_replaced(self.value, path, value), self.document, (*self.replacements, replacement))

    def origin(self, path: TreePath, *, at_key: bool = False) -> Origin:
        """Where the value at a path of this tree was written, or its key."""
        for replacement in reversed(self.replacements):
            if origin := replacement.origin_of(path, at_key):
                return origin
        return Origin(self.document, path, at_key)

    def get(self, path: TreePath, default: Any = None) -> Any:
        """The value at a path."""
        return value_at(self.value, path, default)

    def has(self, path: TreePath) -> bool:
        """Whether there is a value at a path."""
        return value_at(self.value, path, _MISSING) is not _MISSING

    def only(self, keys: set[str]) -> "Tree":
        """The tree with no other top-level keys than some."""
        kept = {key: value for key, value in self.value.items() if key in keys}
        return Tree(kept, self.document, self.replacements)


def value_at(node: Any, path: TreePath, default: Any = None) -> Any:
    """The value at a path of nested mappings and lists."""
    for element in path:
        node = _child(node, element)
        if node is _MISSING:
            return default
    return node


def matches(pattern: Any, value: Any) -> bool:
    """Whether a value is the pattern, or a mapping that holds all of the pattern's entries."""
    if isinstance(pattern, Mapping) and isinstance(value, Mapping):
        return all(key in value and matches(part, value[key]) for key, part in pattern.items())
    return isinstance(pattern, bool) == isinstance(value, bool) and pattern == value


def dotted(text: str) -> TreePath:
    """`probes.0.top` as a path: whole numbers are positions in a list."""
    return tuple(int(part) if _POSITION.fullmatch(part) else part for part in text.split("."))


def display(path: TreePath) -> str:
    """A path as a user writes it."""
    return ".".join(map(str, path))


def existing_part(node: Any, location: TreePath) -> TreePath:
    """The elements of a pydantic location that lead somewhere in `node`: the tags of unions do not."""
    path = []
    for element in location:
        child = _child(node, element)
        if child is not _MISSING:
            path.append(element)
            node = child
    return tuple(path)


def _child(node: Any, element: str | int) -> Any:
    if isinstance(node, Mapping):
        return node.get(str(element), _MISSING)
    if isinstance(node, list) and isinstance(element, int) and element < len(node):
        return node[element]
    return _MISSING


def _existing(node: Any, path: TreePath) -> int:
    for length, element in enumerate(path):
        node = _child(node, element)
        if node is _MISSING:
            return length
    return len(path)


def _replaced(node: Any, path: TreePath, value: Any) -> Any:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(node, list) and isinstance(head, int) and head < len(node):
        return [*node[:head], _replaced(node[head], rest, value), *node[head + 1 :]]
    if isinstance(node, Mapping) and (isinstance(head, str) or str(head) in node):
        return {**node, str(head): _replaced(node.get(str(head), {}), rest, value)}
    raise LookupError
