"""What a user's own model owes the rest: one real logit, real parameters, one axis of samples, keys that are used."""

from collections.abc import Callable, Iterator
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from linstudy.models.layers import BATCH_AXIS
from linstudy.models.parts import parts
from linstudy.tangent.features import require_real_parameters, require_scalar
from linstudy.tangent.freeze import Adapter, freeze, innermost, takes_key


class BrokenContractError(ValueError):
    """What is wrong with a model, and what to write instead."""


@final
class OnAxis(Adapter):
    """A model whose norms take their statistics over samples under another name than `BATCH_AXIS`."""

    model: Callable[..., Any]
    axis: str = eqx.field(static=True)

    def __call__(self, x: Float[Array, "..."], state: Any, **key: Any) -> tuple[Any, Any]:
        return self.model(x, state, **key)


def batch_axis(model: Any) -> str:
    """The name under which a model expects the axis of samples in training."""
    return model.axis if isinstance(model, OnAxis) else BATCH_AXIS


def map_batch(
    call: Callable[..., Any],
    axis: str,
    inputs: Float[Array, "samples ..."],
    state: Any,
    keys: UInt32[Array, "samples _"] | None = None,
) -> tuple[Float[Array, " samples"], Any]:
    """`call(x, state)` of every sample in training, each with its key if there are keys, and the state after all."""

    def one(x: Float[Array, "..."], key: PRNGKeyArray | None) -> tuple[Any, Any]:
        return call(x, state) if key is None else call(x, state, key=key)

    return jax.vmap(one, out_axes=(0, None), axis_name=axis)(inputs, keys)


def meet_contract(
    model: Any, state: eqx.nn.State | None, input_shape: tuple[int, ...]
) -> tuple[Any, eqx.nn.State | None]:
    """A model that is called `model(x, state) -> (logit, state)`, in the run's precision and on its own axis.

    It is traced once in inference and once in training. Errors of its own code are left as they are.

    Raises:
        BrokenContractError: If it gives no real logit, has no parameters or complex ones, or cannot be trained.
    """
    model, state = _in_precision((model, state))
    sample = jax.ShapeDtypeStruct(input_shape, jnp.result_type(float))
    output = eqx.filter_eval_shape(freeze(model, state), sample)
    try:
        require_scalar(output)
        require_real_parameters(innermost(model))
    except ValueError as error:
        raise BrokenContractError(str(error)) from error
    return _on_its_axis(model, state, input_shape), state


def _in_precision(tree: Any) -> Any:
    """A tree with its real arrays, NumPy's too, as JAX arrays of the default precision; itself if they are."""
    found: dict[int, Any] = {}

    def cast(leaf: Any) -> Any:
        if not eqx.is_inexact_array(leaf) or jnp.iscomplexobj(leaf):
            return leaf
        # one array in two fields stays one: `model_warnings` tells of it
        return found.setdefault(id(leaf), jnp.asarray(leaf, jnp.result_type(float)))

    changed = jax.tree.map(cast, tree)
    same = all(one is other for one, other in zip(jax.tree.leaves(tree), jax.tree.leaves(changed), strict=True))
    return tree if same else changed


def _on_its_axis(model: Any, state: Any, input_shape: tuple[int, ...]) -> Any:
    """The model with the first of the axis names it may mean under which it can be trained."""
    unbound = None
    for name in dict.fromkeys([BATCH_AXIS, *_axis_names(model)]):
        try:
            _trace_training(model, state, name, input_shape)
        except NameError as error:
            if "unbound axis name" not in str(error):
                raise
            unbound = unbound or error
        except RuntimeError as error:
            if "requires a key" not in str(error):
                raise
            raise BrokenContractError(_without_key(model)) from error
        else:
            return model if name == BATCH_AXIS else OnAxis(model, name)
    raise BrokenContractError(
        f"in training, {str(unbound).split('.')[0]}. The samples of a batch are one axis under one name: "
        f'give every norm the same axis_name, or let the model use "{BATCH_AXIS}"'
    ) from unbound


def _trace_training(model: Any, state: Any, axis: str, input_shape: tuple[int, ...]) -> None:
    inputs = jax.ShapeDtypeStruct((2, *input_shape), jnp.result_type(float))
    keys = jax.ShapeDtypeStruct((2, 2), jnp.uint32) if takes_key(model) else None
    eqx.filter_eval_shape(lambda inputs, state, keys: map_batch(model, axis, inputs, state, keys), inputs, state, keys)


def _without_key(model: Any) -> str:
    places = [path for path, node in parts(model) if isinstance(node, eqx.nn.Dropout)]
    return (
        f"{', '.join(places) or 'a layer'} needs a key in training, and got none. Let `__call__` take one, "
        "`def __call__(self, x, *, key=None)`, and hand it on, `self.dropout(x, key=key)`: in training the model is "
        "called with a key for each step and sample, and without one in inference"
    )


def _axis_names(model: Any) -> Iterator[str]:
    for _, node in parts(model):
        names = getattr(node, "axis_name", None)
        yield from (name for name in (names if isinstance(names, tuple | list) else [names]) if isinstance(name, str))
