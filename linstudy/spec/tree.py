"""A study's values, each with the text it came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from linstudy.spec.document import Document, TreePath

_MISSING = object()


@dataclass(frozen=True)
class Tree:
    """Plain values, and which document's path each replaced part came from; the last replacement wins."""

    value: Any
    document: Document
    replaced: tuple[tuple[TreePath, Document, TreePath], ...] = ()

    def replace(self, path: TreePath, value: Any, document: Document, origin: TreePath) -> "Tree":
        """A tree with `value` at `path`, remembered as coming from `origin` in `document`."""
        return Tree(_replaced(self.value, path, value), self.document, (*self.replaced, (path, document, origin)))

    def origin(self, path: TreePath) -> tuple[Document, TreePath]:
        """The document and the path in it that a path of this tree came from."""
        for prefix, document, origin in reversed(self.replaced):
            if path[: len(prefix)] == prefix:
                return document, origin + path[len(prefix) :]
        return self.document, path

    def get(self, path: TreePath, default: Any = None) -> Any:
        """The value at a path."""
        node = self.value
        for element in path:
            node = _child(node, element)
            if node is _MISSING:
                return default
        return node

    def without(self, *keys: str) -> "Tree":
        """The tree less some of its top-level keys."""
        return Tree({key: value for key, value in self.value.items() if key not in keys}, self.document, self.replaced)


def dotted(text: str) -> TreePath:
    """`probes.0.top` as a path: whole numbers are positions in a list."""
    return tuple(int(part) if part.isdigit() else part for part in text.split("."))


def matches(pattern: Any, value: Any) -> bool:
    """Whether a value is the pattern, or a mapping that holds all of the pattern's entries."""
    if isinstance(pattern, Mapping) and isinstance(value, Mapping):
        return all(key in value and matches(part, value[key]) for key, part in pattern.items())
    return isinstance(pattern, bool) == isinstance(value, bool) and pattern == value


def display(path: TreePath) -> str:
    """A path as a user writes it."""
    return ".".join(map(str, path))


def follow(node: Any, loc: TreePath) -> Iterator[str | int]:
    """The part of a pydantic location that exists in `node`: the tags of unions are left out."""
    for position, element in enumerate(loc):
        child = _child(node, element)
        if child is not _MISSING:
            yield element
            node = child
        elif position == len(loc) - 1 and isinstance(node, Mapping):
            yield element


def _child(node: Any, element: str | int) -> Any:
    if isinstance(node, Mapping) and element in node:
        return node[element]
    if isinstance(node, list) and isinstance(element, int) and element < len(node):
        return node[element]
    return _MISSING


def _replaced(node: Any, path: TreePath, value: Any) -> Any:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(node, list) and isinstance(head, int) and head < len(node):
        return [_replaced(child, rest, value) if index == head else child for index, child in enumerate(node)]
    if isinstance(node, Mapping):
        return {**node, head: _replaced(node.get(head, {}), rest, value)}
    raise LookupError(head)
