"""Trees as spec objects, part by part: what many points share is validated once."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import ValidationError, create_model

from linstudy.spec.base import Spec
from linstudy.spec.problems import Problem, missing, problems_of

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class Part:
    """The value of one field of a spec.

    Attributes:
        value: As the spec has it; None if there are problems.
        complete: As plain values, with defaults written out; as it was written if there are problems.
        text: The same for parts that mean the same.
    """

    value: Any
    complete: Any
    text: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading(Generic[S]):
    """What a tree is as a spec, with all its parts, or what is wrong with it."""

    spec: S | None
    parts: Mapping[str, Part]
    problems: tuple[Problem, ...]


class Reader(Generic[S]):
    """Validates many trees of one class of spec. Parts that are one object, or mean the same, give one object."""

    def __init__(self, spec: type[S]):
        self._spec = spec
        self._one_part = _each_optional(spec)
        self._by_identity: dict[tuple[str, int], tuple[Any, Part]] = {}  # keeps the value, so that its id stays its own
        self._by_text: dict[tuple[str, str], Part] = {}
        fields = spec.model_fields
        self._defaults = {name: self._default(name) for name, info in fields.items() if not info.is_required()}
        self._missing = {name: missing(spec, name) for name, info in fields.items() if info.is_required()}

    def read(self, written: Mapping[str, Any]) -> Reading[S]:
        """The spec that a mapping says."""
        parts = {**self._defaults, **{name: self._part(name, value) for name, value in written.items()}}
        absent = [problem for name, problem in self._missing.items() if name not in parts]
        problems = (*absent, *(problem for part in parts.values() for problem in part.problems))
        if problems:
            return Reading(None, parts, problems)
        # every part is validated, and no field of these specs is bound to another
        spec = self._spec.model_construct(set(written), **{name: part.value for name, part in parts.items()})
        return Reading(spec, parts, ())

    def _part(self, name: str, value: Any) -> Part:
        key = (name, id(value))
        if key not in self._by_identity:
            self._by_identity[key] = (value, self._validated(name, value))
        return self._by_identity[key][1]

    def _validated(self, name: str, value: Any) -> Part:
        try:
            spec = self._one_part.model_validate_json(json.dumps({name: value}))
        except ValidationError as error:
            problems = tuple(problems_of(error, self._spec, {name: value}))
            return Part(None, value, json.dumps(value, sort_keys=True), problems)
        complete = spec.model_dump(mode="json", include={name})[name]
        text = json.dumps(complete, sort_keys=True)
        return self._by_text.setdefault((name, text), Part(getattr(spec, name), complete, text))

    def _default(self, name: str) -> Part:
        return self._validated(name, self._spec.model_construct().model_dump(mode="json", include={name})[name])


@cache
def _each_optional(spec: type[S]) -> type[Spec]:
    """The class with no required field, to validate one of them alone."""
    fields: dict[str, Any] = {}
    for name, info in spec.model_fields.items():
        optional = copy.copy(info)
        optional.default = None
        fields[name] = (info.annotation, optional)
    return create_model(spec.__name__, __base__=Spec, **fields)
