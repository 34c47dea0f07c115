"""A user's own Equinox module."""

import importlib
from typing import Any

import equinox as eqx
from jaxtyping import PRNGKeyArray

from linstudy.models.contract import BrokenContractError, meet_contract
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel
from linstudy.tangent.freeze import Stateless


def make(spec: ImportModel, input_shape: tuple[int, ...], key: PRNGKeyArray) -> tuple[Any, eqx.nn.State | None]:
    """Call the user's factory: `factory(input_shape, key, **arguments)`.

    It gives an Equinox module with `model(x) -> logit`, or the pair that `eqx.nn.make_with_state` gives, with
    `model(x, state) -> (logit, state)`. Its arrays are brought to the run's precision.

    Raises:
        LinstudyError: If it gives something else, or a model that cannot be trained or has no tangent kernel.
    """
    made = _factory(spec)(input_shape, key, **spec.arguments)
    match made:
        case eqx.Module():
            model, state = Stateless(made), None  # pyright: ignore[reportArgumentType]
        case tuple((eqx.Module(), eqx.nn.State())):
            model, state = made
        case _:
            raise LinstudyError(
                f"model.factory {spec.factory}: returned {_name(made)}; "
                "it must return an equinox.Module, or (module, state) as equinox.nn.make_with_state does"
            )
    try:
        return meet_contract(model, state, input_shape)
    except BrokenContractError as error:
        raise LinstudyError(f"model.factory {spec.factory}: {error}") from error


def _factory(spec: ImportModel) -> Any:
    module_name, _, name = spec.factory.partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise LinstudyError(f"model.factory {spec.factory}: cannot be imported: {error}") from error


def _name(made: Any) -> str:
    return f"({', '.join(type(part).__name__ for part in made)})" if isinstance(made, tuple) else type(made).__name__
