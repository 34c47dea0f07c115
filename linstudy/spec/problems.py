"""Pydantic's errors in the words of a study: place, path, what was found, what is allowed."""

import difflib
import json
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from linstudy.spec.document import TreePath
from linstudy.spec.tree import Tree, display, follow

_EXPECTED = {
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected a text",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list, as in [1, 2]",
    "model_type": "expected a mapping, as in {kind: ...}",
    "model_attributes_type": "expected a mapping, as in {kind: ...}",
    "dict_type": "expected a mapping",
    "finite_number": "expected a finite number",
    "string_pattern_mismatch": "not of the form {pattern}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "needs at least {min_length} entry",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a tree: where, and what."""

    path: TreePath
    message: str
    at_key: bool = False


def nearest(word: object, allowed: Iterable[str]) -> str:
    """`Did you mean "lenet"? Allowed: …`, with the question left out where nothing is near."""
    allowed = list(allowed)
    close = difflib.get_close_matches(str(word), allowed, n=1)
    question = f'Did you mean "{close[0]}"? ' if close else ""
    return f"{question}Allowed: {', '.join(allowed)}"


def problems_of(error: ValidationError, model: type[BaseModel], tree: Tree) -> Iterator[Problem]:
    """The problems behind a validation error of `model` on `tree`."""
    for details in error.errors(include_url=False):
        yield _problem(details, model, tree)


def _problem(details: ErrorDetails, model: type[BaseModel], tree: Tree) -> Problem:
    loc: TreePath = tuple(details["loc"])
    path = tuple(follow(tree.value, loc))
    context = details.get("ctx", {})
    found = shown(details["input"])
    match details["type"]:
        case "extra_forbidden":
            fields = _fields(model, loc[:-1])
            return Problem(path, f'"{loc[-1]}" is not a field here. {nearest(loc[-1], fields)}', at_key=True)
        case "missing":
            return Problem(path, "is missing")
        case "union_tag_invalid":
            kinds = _words(context["expected_tags"])
            return Problem(
                (*path, "kind"), f'"{context["tag"]}" is not a {_noun(path)}. {nearest(context["tag"], kinds)}'
            )
        case "union_tag_not_found":
            return Problem(
                path, f"{found} names no kind. Write {{kind: ...}}. Allowed: {', '.join(_kinds(model, loc))}"
            )
        case "literal_error":
            return Problem(path, f"{found} is not allowed. {nearest(details['input'], _words(context['expected']))}")
        case "value_error":
            return Problem(path, str(context["error"]))
        case kind if kind in _EXPECTED:
            return Problem(path, f"{_EXPECTED[kind].format(**context)}, found {found}")
    return Problem(path, f"{details['msg']}, found {found}")


def shown(value: Any) -> str:
    """A value as a short piece of a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _noun(path: TreePath) -> str:
    names = [element for element in path if isinstance(element, str)]
    return names[-1].removesuffix("s") if names else "kind"


def _words(expected: str) -> list[str]:
    return [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(",")]


def _fields(model: type[BaseModel], loc: TreePath) -> Sequence[str]:
    classes = _classes_at(model, loc)
    return [name for cls in classes for name in cls.model_fields]


def _kinds(model: type[BaseModel], loc: TreePath) -> Sequence[str]:
    return [kind for cls in _classes_at(model, loc) for kind in _kind_of(cls)]


def _classes_at(model: type[BaseModel], loc: TreePath) -> list[type[BaseModel]]:
    """The spec classes that a location of a validation error can mean, following fields and the tags of unions."""
    classes = [model]
    for element in loc:
        if tagged := [cls for cls in classes if element in (*_kind_of(cls), cls.__name__)]:
            classes = tagged
        elif isinstance(element, str):
            annotations = [cls.model_fields[element].annotation for cls in classes if element in cls.model_fields]
            classes = [cls for annotation in annotations for cls in _spec_classes(annotation)] or classes
    return classes


def _spec_classes(annotation: Any) -> Iterator[type[BaseModel]]:
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list):
        for argument in get_args(annotation):
            yield from _spec_classes(argument)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def _kind_of(cls: type[BaseModel]) -> tuple[str, ...]:
    kind = cls.model_fields.get("kind")
    return get_args(kind.annotation) if kind and get_origin(kind.annotation) is Literal else ()


def render(problem: Problem, tree: Tree) -> str:
    """`file:line:column  path: message`."""
    document, origin = tree.origin(problem.path)
    return f"{document.where(origin, key=problem.at_key)}  {display(origin)}: {problem.message}"
