"""What identifies a spec: everything that it says and that can change a number, said in one way."""

from functools import cache
from typing import Any

from linstudy.spec.base import Spec


def identity_content(spec: Spec) -> dict[str, Any]:
    """The fields of a spec that are not at their default, in JSON's types; `kind` always.

    Equal numbers are one, −0.0 and 0.0 too. Not so in the arguments of a user's own model, which can tell 8 from 8.0
    and one Unicode form of a text from another.
    """
    fields = ((name, getattr(spec, name), default) for name, default in _defaults(type(spec)))
    return {name: _content(value) for name, value, default in fields if value != default}


@cache
def _defaults(kind: type[Spec]) -> list[tuple[str, Any]]:
    """The fields that are part of the identity, each with its default."""
    return [(name, field.default) for name, field in kind.model_fields.items() if name not in kind.outside]


def _content(value: Any) -> Any:
    match value:
        case Spec():
            return identity_content(value)
        case tuple():
            return [_content(entry) for entry in value]
        case float():
            return value + 0.0
    return value
