"""From a YAML text to plain values, each with its place, within the limits of a study."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from linstudy.spec import limits
from linstudy.spec.scalars import plain_value
from linstudy.spec.syntax import begins_at_context, explain, is_unclosed

Position = tuple[int, int]
"""Line and column, from 1."""

_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, halves of characters, and what Unicode sets aside as none."""


class Refusal(Exception):
    """A text that cannot be a study: what is wrong, and where."""

    def __init__(self, message: str, position: Position | None):
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Node:
    """A plain value, and what is written in it.

    Attributes:
        size: How many values it is, aliases written out.
    """

    value: Any
    size: int = 1
    entries: "Mapping[str | int, Entry]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of a mapping or list, with the places of its key and of itself.

    A value that is left out has no place, nor has anything that a `<<` merged in.
    """

    node: Node
    key: Position | None
    place: Position | None


def compose(text: str) -> Node | None:
    """The value that a YAML text holds; None for an empty text.

    Raises:
        Refusal: If it is not YAML, goes beyond a limit, or holds what a study has no use for, as tags.
    """
    if found := _NO_TEXT.search(text):
        raise Refusal(f"not valid YAML: {_no_text(found)}", _position_of(text, found.start()))
    return _Composer(text).compose()


class _Composer:
    def __init__(self, text: str):
        self._text = text
        self._events = YAML(typ="safe", pure=True).parse(text)
        self._anchors: dict[str, Node] = {}
        self._open: list[CollectionStartEvent] = []
        self._size = 0
        self._last: Position = (1, 1)

    def compose(self) -> Node | None:
        try:
            return self._document()
        except MarkedYAMLError as error:
            raise self._refusal(error) from None
        except (YAMLError, ValueError, OverflowError):  # of the library, for escapes beyond Unicode among others
            raise Refusal("not valid YAML: what follows cannot be read", self._last) from None

    def _document(self) -> Node | None:
        self._next()
        if isinstance(self._next(), StreamEndEvent):
            return None
        node = self._node(self._next())
        while isinstance(event := self._next(), DocumentEndEvent):
            pass
        if not isinstance(event, StreamEndEvent):
            raise Refusal("not valid YAML: found another document", _place(event))
        return node

    def _next(self) -> Any:
        event = next(self._events)
        self._last = _place(event)
        return event

    def _node(self, event: NodeEvent) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if event.tag is not None:  # type: ignore[attr-defined]
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")[:40]  # type: ignore[attr-defined]
            raise Refusal(f'the tag "{tag}" means nothing in a study; leave it out', _place(event))
        self._count(1, event)
        node = Node(_scalar(event)) if isinstance(event, ScalarEvent) else self._collection(event)  # type: ignore[arg-type]
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            name = event.anchor[:40]
            raise Refusal(
                f"not valid YAML: *{name} stands for nothing: no value marked &{name} ends before it", _place(event)
            )
        node = self._anchors[event.anchor]
        self._count(node.size, event)
        return node

    def _collection(self, start: CollectionStartEvent) -> Node:
        before = self._size
        with self._opened(start):
            entries = self._list() if isinstance(start, SequenceStartEvent) else self._mapping()
        values = {key: entry.node.value for key, entry in entries.items()}
        is_list = isinstance(start, SequenceStartEvent)
        return Node(list(values.values()) if is_list else values, self._size - before + 1, entries)

    def _list(self) -> dict[str | int, Entry]:
        entries: dict[str | int, Entry] = {}
        while not isinstance(event := self._next(), SequenceEndEvent):
            place = _value_place(event)
            entries[len(entries)] = Entry(self._node(event), place, place)
        return entries

    def _mapping(self) -> dict[str | int, Entry]:
        own: dict[str | int, Entry] = {}
        merged: dict[str | int, Entry] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            key, value = self._key(event), self._next()
            node = self._node(value)
            if key == "<<" and event.implicit[0]:
                merged = {**self._merged(node, event), **merged}
            elif key in own:
                raise Refusal(f'not valid YAML: "{key[:40]}" is written twice; keep one of them', _place(event))
            else:
                own[key] = Entry(node, _place(event), _value_place(value))
        return {**merged, **own}

    def _key(self, event: NodeEvent) -> str:
        self._count(1, event)
        if not isinstance(event, ScalarEvent) or event.tag is not None:
            raise Refusal("a key is a word, and this is none", _place(event))
        if not event.value and event.implicit[0]:
            raise Refusal('a key is missing before this ":"', _place(event))
        _check_text(event)
        return unicodedata.normalize("NFC", event.value)

    def _merged(self, node: Node, event: NodeEvent) -> dict[str | int, Entry]:
        sources = list(entry.node for entry in node.entries.values()) if isinstance(node.value, list) else [node]
        entries: dict[str | int, Entry] = {}
        for source in reversed(sources):
            if not isinstance(source.value, dict):
                raise Refusal("<< takes a mapping, or a list of them, as in <<: *name", _place(event))
            self._count(len(source.entries), event)
            entries |= {key: Entry(entry.node, None, None) for key, entry in source.entries.items()}
        return entries

    def _count(self, more: int, event: NodeEvent) -> None:
        self._size += more
        if self._size > limits.VALUES:
            what = "with what *aliases stand for, " if self._anchors else ""
            raise Refusal(
                f"{what}the text holds {self._size:,} values up to here. Allowed: {limits.VALUES:,}", _place(event)
            )

    @contextmanager
    def _opened(self, start: CollectionStartEvent) -> Iterator[None]:
        self._open.append(start)
        if len(self._open) > limits.DEPTH:
            deep = f"{len(self._open)} lists and mappings stand within one another here"
            raise Refusal(f"{deep}. Allowed: {limits.DEPTH}", _place(start))
        yield
        self._open.pop()

    def _refusal(self, error: MarkedYAMLError) -> Refusal:
        marks = [event.start_mark for event in self._open if self._text[event.start_mark.index] in "[{"]
        if marks and is_unclosed(error, marks[-1].line):
            bracket = self._text[marks[-1].index]
            message = f'this "{bracket}" is not closed, or a comma is missing in it'
            return Refusal(f"not valid YAML: {message}", _of_mark(marks[-1]))
        mark = error.context_mark if begins_at_context(error) else error.problem_mark
        return Refusal(f"not valid YAML: {explain(error)}", self._last if mark is None else _of_mark(mark))


def _scalar(event: ScalarEvent) -> Any:
    _check_text(event)
    if not event.implicit[0]:
        return event.value
    try:
        return plain_value(event.value)
    except ValueError as error:
        raise Refusal(str(error), _place(event)) from None


def _check_text(event: ScalarEvent) -> None:
    if found := _NO_TEXT.search(event.value):
        raise Refusal(_no_text(found), _place(event))


def _no_text(found: re.Match[str]) -> str:
    return f"the character U+{ord(found[0]):04X} cannot stand in a text; delete it"


def _value_place(event: NodeEvent) -> Position | None:
    is_left_out = isinstance(event, ScalarEvent) and not event.value and event.implicit[0]
    return None if is_left_out else _place(event)


def _place(event: Any) -> Position:
    return _of_mark(event.start_mark)


def _of_mark(mark: Any) -> Position:
    return mark.line + 1, mark.column + 1


def _position_of(text: str, index: int) -> Position:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
