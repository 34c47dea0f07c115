"""LeNet, with average pooling and same-size convolutions."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from linstudy.models.layers import ACTIVATIONS, conv, linear
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import LenetModel


class Lenet(eqx.Module):
    """conv 5×5 6, pool, conv 5×5 16, pool, 120, 84, one logit; or a multiple of all hidden widths."""

    convs: tuple[eqx.nn.Conv2d, eqx.nn.Conv2d]
    hidden: tuple[eqx.nn.Linear, eqx.nn.Linear]
    last: eqx.nn.Linear
    activation: Callable = eqx.field(static=True)

    def __call__(self, x: Float[Array, "channels height width"]) -> Float[Array, ""]:
        pool = eqx.nn.AvgPool2d(2, 2)
        for layer in self.convs:
            x = pool(self.activation(layer(x)))
        x = jnp.ravel(x)
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.last(x)


def make(spec: LenetModel, input_shape: tuple[int, ...], key: PRNGKeyArray) -> Lenet:
    """LeNet for images of shape (channels, height, width), of at least 4×4 pixels."""
    if len(input_shape) != 3 or min(input_shape[1:]) < 4:
        raise LinstudyError(
            f"model lenet: needs images of shape (channels, height, width), at least 4×4; got {input_shape}"
        )
    channels, height, width = input_shape
    keys = jax.random.split(key, 5)
    first, second, third, fourth = spec.hidden
    flat = second * (height // 4) * (width // 4)
    return Lenet(
        convs=(conv(channels, first, 5, keys[0]), conv(first, second, 5, keys[1])),
        hidden=(linear(flat, third, keys[2]), linear(third, fourth, keys[3])),
        last=linear(fourth, "scalar", keys[4]),
        activation=ACTIVATIONS[spec.activation],
    )
