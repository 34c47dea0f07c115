"""A user's own Equinox module."""

import importlib
from typing import Any

import equinox as eqx
from jaxtyping import PRNGKeyArray

from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel


def make(spec: ImportModel, input_shape: tuple[int, ...], key: PRNGKeyArray) -> Any:
    """Call the user's factory: `factory(input_shape, key, **arguments)`.

    It gives an Equinox module with `model(x) -> logit`, or the pair that `eqx.nn.make_with_state` gives, with
    `model(x, state) -> (logit, state)`.
    """
    module_name, _, name = spec.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise LinstudyError(f"model.factory {spec.factory}: cannot be imported: {error}") from error
    made = factory(input_shape, key, **spec.arguments)
    match made:
        case eqx.Module() | tuple((eqx.Module(), eqx.nn.State())):
            return made
        case tuple():
            returned = f"({', '.join(type(part).__name__ for part in made)})"
        case _:
            returned = type(made).__name__
    raise LinstudyError(
        f"model.factory {spec.factory}: returned {returned}; "
        "it must return an equinox.Module, or (module, state) as equinox.nn.make_with_state does"
    )
