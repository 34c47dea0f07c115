"""What can be written at a place of a study, read off the spec classes."""

import difflib
import types
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from linstudy.spec.document import TreePath

Spec = type[BaseModel]

_LONGEST = 100
"""Characters of a word that are compared with others: the comparison takes their square."""


def nearest(word: object, allowed: Iterable[str]) -> str:
    """`Did you mean "lenet"? Allowed: …`, with the question left out where nothing is near."""
    by_lower_case = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(str(word)[:_LONGEST].lower(), by_lower_case, n=1)
    question = f'Did you mean "{by_lower_case[close[0]]}"? ' if close else ""
    return f"{question}Allowed: {', '.join(by_lower_case.values())}"


def specs_at(root: Spec, location: TreePath) -> list[Spec]:
    """The spec classes that a location of a validation error can mean, following fields and the tags of unions."""
    found = [root]
    for element in location:
        if tagged := [spec for spec in found if element in (*kinds_of(spec), spec.__name__)]:
            found = tagged
        elif isinstance(element, str):
            annotations = [spec.model_fields[element].annotation for spec in found if element in spec.model_fields]
            found = [spec for annotation in annotations for spec in _specs_in(annotation)]
    return found


def kinds_of(spec: Spec) -> tuple[str, ...]:
    """The kind that a spec class is written with; none for a class that is no member of a union."""
    kind = spec.model_fields.get("kind")
    return get_args(kind.annotation) if kind and get_origin(kind.annotation) is Literal else ()


def kinds_at(root: Spec, location: TreePath) -> list[str]:
    """The kinds allowed at a location."""
    return [kind for spec in specs_at(root, location) for kind in kinds_of(spec)]


def fields_at(root: Spec, location: TreePath) -> list[str]:
    """The fields allowed at a location, `kind` first."""
    names = dict.fromkeys(name for spec in specs_at(root, location) for name in spec.model_fields)
    return sorted(names, key=lambda name: name != "kind")


def description_at(root: Spec, location: TreePath) -> str:
    """What the field at a location means."""
    *parents, name = location
    fields = [spec.model_fields[str(name)] for spec in specs_at(root, tuple(parents)) if name in spec.model_fields]
    return fields[0].description or "" if fields else ""


@cache
def default_kind(root: Spec, path: TreePath) -> str | None:
    """The kind that a part of a study has when it is left out."""
    value: Any = None
    spec: Spec | None = root
    for element in path:
        if spec is None or element not in spec.model_fields:
            return None
        value = spec.model_fields[str(element)].default
        spec = type(value) if isinstance(value, BaseModel) else None
    return getattr(value, "kind", None)


def _specs_in(annotation: Any) -> Iterator[Spec]:
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list):
        for argument in get_args(annotation):
            yield from _specs_in(argument)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
