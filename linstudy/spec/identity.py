"""What identifies a spec: everything that it says and that can change a number, said in one way."""

from typing import Any

from linstudy.spec.base import Spec


def identity_content(spec: Spec) -> dict[str, Any]:
    """The fields of a spec that are not at their default, in JSON's types; `kind` always.

    Equal numbers are one, −0.0 and 0.0 too. Not so in the arguments of a user's own model, which can tell 8 from 8.0
    and one Unicode form of a text from another.
    """
    fields = type(spec).model_fields
    return {
        name: _content(value)
        for name, value in spec
        if name not in spec.outside and value != fields[name].get_default(call_default_factory=True)
    }


def _content(value: Any) -> Any:
    match value:
        case Spec():
            return identity_content(value)
        case tuple():
            return [_content(entry) for entry in value]
        case float():
            return value + 0.0
    return value
