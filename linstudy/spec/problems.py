"""Pydantic's errors in the words of a study: what was found, what is allowed, what to write."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from linstudy.spec.document import TreePath
from linstudy.spec.scalars import plain_value
from linstudy.spec.tree import existing_part
from linstudy.spec.vocabulary import description_at, fields_at, kinds_at, kinds_of, nearest, specs_at

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "one entry or more",
}
_WITHOUT_QUOTES = {"int_type": (int,), "float_type": (int, float), "bool_type": (bool,)}
_MAPPING = ("model_type", "model_attributes_type", "dict_type")
_NOUNS = {"data": "data set", "probes": "probe"}
_LONGEST = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a tree: where, and what."""

    path: TreePath
    message: str
    at_key: bool = False


def problems_of(error: ValidationError, root: type[BaseModel], written: Any) -> Iterator[Problem]:
    """The problems behind a validation error of `root` on what was written, one for each place."""
    by_place: dict[TreePath, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        if not _is_beside_the_point(details):
            by_place.setdefault(_place(details, written), []).append(details)
    for path, (details, *others) in by_place.items():
        at_key = details["type"] == "extra_forbidden"
        yield Problem(path, _message(details, root, path) + _alternatives(details, others, root), at_key)


def missing(root: type[BaseModel], name: str) -> Problem:
    """The problem that a required part was not written."""
    return Problem((name,), _missing(root, (name,)))


def _place(details: ErrorDetails, written: Any) -> TreePath:
    location: TreePath = tuple(details["loc"])
    path = existing_part(written, location)
    if details["type"] == "missing":
        return (*path, location[-1])
    return (*path, "kind") if details["type"] == "union_tag_invalid" else path


def _is_beside_the_point(details: ErrorDetails) -> bool:
    """Whether an error only follows from others.

    A list counts as too short when its entries are wrong, and what may be a word or something else is no word.
    """
    if details["type"] == "too_short":
        return len(details["input"]) >= details.get("ctx", {})["min_length"]
    one_of_several = any(str(element).startswith("literal[") for element in details["loc"])
    return details["type"] == "literal_error" and one_of_several and not isinstance(details["input"], str)


def _message(details: ErrorDetails, root: type[BaseModel], path: TreePath) -> str:
    location: TreePath = tuple(details["loc"])
    value, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return _unknown_field(root, location, path)
        case "missing":
            return _missing(root, location)
        case "union_tag_invalid":
            kinds, found = _words(context["expected_tags"]), value["kind"]
            return f"{shown(found)} is not {_with_article(_noun(path[:-1]))}. {nearest(found, kinds)}"
        case "union_tag_not_found":
            kinds = ", ".join(kinds_at(root, location))
            return f"{shown(value)} has no kind. Write {{kind: ...}}. Allowed: {kinds}"
        case "literal_error":
            return f"{shown(value)} is not allowed. {nearest(value, _words(context['expected']))}"
        case "value_error":
            return str(context["error"])
        case _:
            return f"expected {_expected(details, root)}, found {shown(value)}{_about_quotes(details)}"


def _about_quotes(details: ErrorDetails) -> str:
    """What to do where a value is right but for its quotes."""
    value, kind = details["input"], details["type"]
    if kind == "string_type" and isinstance(value, bool | int | float):
        return ". Put it in quotes"
    if not isinstance(value, str) or kind not in _WITHOUT_QUOTES:
        return ""
    try:
        return ". Drop the quotes" if type(plain_value(value)) in _WITHOUT_QUOTES[kind] else ""
    except ValueError:
        return ""


def _unknown_field(root: type[BaseModel], location: TreePath, path: TreePath) -> str:
    parent, name = location[:-1], location[-1]
    kinds = kinds_at(root, parent)
    if not parent:
        return f'"{name}" is not a key of a study. {nearest(name, fields_at(root, parent))}'
    owner, fields = kinds[0] if kinds else path[-2], fields_at(root, parent)
    if others := [kind for spec in specs_at(root, parent[:-1]) if name in spec.model_fields for kind in kinds_of(spec)]:
        return f'"{name}" is a field of {", ".join(others)}, not of {owner}. Allowed: {", ".join(fields)}'
    return f'"{name}" is not a field of {owner}. {nearest(name, fields)}'


def _missing(root: type[BaseModel], location: TreePath) -> str:
    if kinds := kinds_at(root, location):
        return f"is missing. Write {location[-1]}: {{kind: {kinds[0]}}}. Allowed kinds: {', '.join(kinds)}"
    description = description_at(root, location).rstrip(".")
    return f"is missing: {description}" if description else "is missing"


def _expected(details: ErrorDetails, root: type[BaseModel]) -> str:
    value, kind = details["input"], details["type"]
    if kind in _MAPPING:
        example = _mapping_like(value, root, tuple(details["loc"]))
        return f"a mapping, as in {example}" if example else "a mapping"
    if kind == "tuple_type":
        is_entry = value is not None and not (isinstance(value, str) and re.search(r"\W", value))
        return f"a list, as in [{shown(value, quoted=False)}]" if is_entry else "a list, as in [0, 1]"
    return _EXPECTED[kind].format(**details.get("ctx", {})) if kind in _EXPECTED else details["msg"]


def _mapping_like(value: Any, root: type[BaseModel], location: TreePath) -> str:
    specs = specs_at(root, location)
    kinds = [kind for spec in specs for kind in kinds_of(spec)]
    if kinds:
        return f"{{kind: {value if value in kinds else kinds[0]}}}"
    return f"{{{next(iter(specs[0].model_fields))}: ...}}" if specs else ""


def _alternatives(details: ErrorDetails, others: list[ErrorDetails], root: type[BaseModel]) -> str:
    """What else may stand in the place of a word."""
    is_word = details["type"] == "literal_error"
    return "".join(f", or {_expected(other, root)}" for other in others) if is_word else ""


def _words(expected: str) -> list[str]:
    return [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(",")]


def _noun(path: TreePath) -> str:
    name = [element for element in path if isinstance(element, str)][-1]
    return _NOUNS.get(name, name)


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def shown(value: Any, *, quoted: bool = True) -> str:
    """A value as YAML on one line, short enough for a message."""
    text = ""
    for piece in _pieces(value, quoted):  # no further than is shown, however large the value
        text += piece[: _LONGEST + 1]
        if len(text) > _LONGEST:
            return f"{text[: _LONGEST - 3]}..."
    return text


def _pieces(value: Any, quoted: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield "{"
        for index, (key, part) in enumerate(value.items()):
            yield f"{', ' if index else ''}{key}: "
            yield from _pieces(part, False)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for index, part in enumerate(value):
            yield ", " if index else ""
            yield from _pieces(part, False)
        yield "]"
    else:
        yield _scalar(value, quoted)


def _scalar(value: Any, quoted: bool) -> str:
    if value is None:
        return "nothing" if quoted else "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if quoted and isinstance(value, str) else str(value)
