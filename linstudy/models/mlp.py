"""The multilayer perceptron."""

import itertools
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from linstudy.models.layers import ACTIVATIONS, linear
from linstudy.spec.model import MlpModel


class Mlp(eqx.Module):
    """Flatten, hidden dense layers, one logit."""

    hidden: tuple[eqx.nn.Linear, ...]
    last: eqx.nn.Linear
    activation: Callable = eqx.field(static=True)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, ""]:
        x = jnp.ravel(x)
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.last(x)


def make(spec: MlpModel, input_shape: tuple[int, ...], key: PRNGKeyArray) -> Mlp:
    """The MLP of a spec, for inputs of any shape."""
    widths = (math.prod(input_shape), *spec.hidden)
    keys = jax.random.split(key, len(widths))
    hidden = tuple(linear(*pair, key) for pair, key in zip(itertools.pairwise(widths), keys, strict=False))
    return Mlp(hidden, linear(widths[-1], "scalar", keys[-1]), ACTIVATIONS[spec.activation])
