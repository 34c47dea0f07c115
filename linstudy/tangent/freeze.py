"""A model as a function of its input alone: in inference, without a state and without keys."""

import inspect
from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from linstudy.tangent.parameters import Frozen


class Adapter(eqx.Module):
    """Stands between a model as it was written and the way in which all networks are called."""

    model: eqx.AbstractVar[Callable[..., Any]]


@final
class Stateless(Adapter):
    """A model without running statistics, called like one that has them."""

    model: Callable[..., Any]

    def __call__(self, x: Float[Array, "..."], state: Any, **key: Any) -> tuple[Any, Any]:
        return self.model(x, **key), state


def innermost(model: Any) -> Any:
    """The model as it was written."""
    return innermost(model.model) if isinstance(model, Adapter) else model


def _key_parameter(model: Callable[..., Any]) -> inspect.Parameter | None:
    try:
        return inspect.signature(innermost(model)).parameters.get("key")
    except ValueError:  # of some callables that are not written in Python
        return None


def takes_key(model: Callable[..., Any]) -> bool:
    """Whether a model draws in training, such as for dropout: whether `key` is a parameter of its call."""
    return _key_parameter(model) is not None


def inference_key(model: Callable[..., Any]) -> dict[str, PRNGKeyArray]:
    """What a model is called with beside its input in inference: nothing, or a fixed key where it insists on one."""
    parameter = _key_parameter(model)
    insists = parameter is not None and parameter.default is inspect.Parameter.empty
    return {"key": jax.random.PRNGKey(0)} if insists else {}


@final
class FrozenState(eqx.Module):
    """A stateful model in inference mode, its state a constant. Made by `freeze`."""

    model: Callable[..., Any]
    state: Frozen

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        # stop_gradient also copies the State, which a layer that sets it would otherwise invalidate for the next call.
        output, _ = self.model(x, jax.lax.stop_gradient(self.state.value), **inference_key(self.model))
        return output


def in_inference(model: Any) -> Any:
    """As `equinox.nn.inference_mode`, which fails on a linearization: its parameters have None for a flag."""

    def has_flag(node: Any) -> bool:
        return getattr(node, "inference", None) is not None

    def flags(tree: Any) -> list[Any]:
        def inside(node: Any) -> bool:
            return has_flag(node) and node is not tree

        nodes = [node for node in jax.tree.leaves(tree, is_leaf=inside) if inside(node)]
        return [*([tree.inference] if has_flag(tree) else []), *(flag for node in nodes for flag in flags(node))]

    return eqx.tree_at(flags, model, replace_fn=lambda flag: True)


def freeze(model: Callable[..., Any], state: eqx.nn.State | None) -> FrozenState:
    """Fix the state of a stateful model, such as the running statistics of its batch norms.

    The layers evaluate in inference mode, so that each sample's output depends on that sample alone. Weight and bias
    of a norm stay parameters; its statistics are not. Pass the state after training for the statistics of the anchor,
    or the one that `eqx.nn.make_with_state` returned for the initial ones.

    Args:
        model: Called as `model(x, state) -> (output, state)`; a `key` that its call takes is left out, or a fixed one
            where it has no default.
        state: Is copied, never changed. None for a model that passes it through.
    """
    return FrozenState(in_inference(model), Frozen(state))
