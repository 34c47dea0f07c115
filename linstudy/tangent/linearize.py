"""The first-order Taylor expansion of a model in its parameters."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from linstudy.tangent.convolution import with_fast_convolutions
from linstudy.tangent.features import require_scalar
from linstudy.tangent.parameters import Frozen, Sealed, merge, split


@final
class Linearized(Sealed):
    """f̂(x; θ) = f_θ0(x) + (θ − θ0)ᵀ∇f_θ0(x), or without its first term if `centred`. Made by `linearize`.

    `parameters` is θ, in the structure that `split` gives the model's own; the anchor θ0 is not trainable.
    """

    parameters: PyTree
    anchor: Frozen
    centred: bool = eqx.field(static=True)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, ""]:
        anchor, static = split(self.anchor.value)
        # Keeps the anchor fixed also for those who differentiate with eqx.filter_grad instead of `split`.
        anchor = jax.lax.stop_gradient(anchor)
        displacement = jax.tree.map(jnp.subtract, self.parameters, anchor)
        value, change = jax.jvp(
            lambda point: with_fast_convolutions(merge(point, static))(x), (anchor,), (displacement,)
        )
        require_scalar(value)
        return change if self.centred else value + change


def linearize(model: Callable[..., Any], *, centred: bool = False) -> Linearized:
    """Expand `model` to first order around its own parameters, the anchor.

    Training the result is training in the tangent space at the anchor: its gradient with respect to its parameters is
    ∇f_θ0(x) wherever they are.

        linear = linearize(model)
        linear(x) == model(x)                               # before any training
        tangent_features(linear, xs)                        # those of the model, at any parameters

    Args:
        model: A stateful model is frozen first, by `freeze`.
        centred: Leave out f_θ0(x), so that the output starts at 0.

    Source: arXiv:2106.06770, equation 1.
    """
    parameters, _ = split(model)
    return Linearized(parameters, Frozen(model), centred)
