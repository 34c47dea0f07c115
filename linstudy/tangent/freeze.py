"""A stateful model as a function of its input alone."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
from jaxtyping import Array, Float

from linstudy.tangent.parameters import Frozen


@final
class Stateless(eqx.Module):
    """A model without running statistics, called like one that has them."""

    model: Callable[..., Any]

    def __call__(self, x: Float[Array, "..."], state: Any) -> tuple[Float[Array, ""], Any]:
        return self.model(x), state


@final
class FrozenState(eqx.Module):
    """A stateful model in inference mode, its state a constant. Made by `freeze`."""

    model: Callable[..., Any]
    state: Frozen

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        # stop_gradient also copies the State, which a layer that sets it would otherwise invalidate for the next call.
        output, _ = self.model(x, jax.lax.stop_gradient(self.state.value))
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
        model: Called as `model(x, state) -> (output, state)`.
        state: Is copied, never changed. None for a model that passes it through.
    """
    return FrozenState(in_inference(model), Frozen(state))
