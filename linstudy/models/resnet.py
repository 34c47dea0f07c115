"""ResNet-18 and ResNet-34 for small images."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from linstudy.models.layers import ACTIVATIONS, BatchNorm, conv, linear
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ResnetModel

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class Block(eqx.Module):
    """Two 3×3 convolutions around a shortcut; a 1×1 convolution makes the shortcut fit where shapes differ."""

    convs: tuple[eqx.nn.Conv2d, eqx.nn.Conv2d]
    norms: tuple[BatchNorm, BatchNorm]
    shortcut: tuple[eqx.nn.Conv2d, BatchNorm] | None
    activation: Callable = eqx.field(static=True)

    def __init__(self, inputs: int, outputs: int, stride: int, activation: Callable, key: PRNGKeyArray):
        first, second, third = jax.random.split(key, 3)
        self.convs = (
            conv(inputs, outputs, 3, first, stride=stride, use_bias=False),
            conv(outputs, outputs, 3, second, use_bias=False),
        )
        self.norms = (BatchNorm(outputs), BatchNorm(outputs, scale=0.0))
        fits = stride == 1 and inputs == outputs
        self.shortcut = (
            None if fits else (conv(inputs, outputs, 1, third, stride=stride, use_bias=False), BatchNorm(outputs))
        )
        self.activation = activation

    def __call__(self, x: Float[Array, "..."], state: eqx.nn.State) -> tuple[Float[Array, "..."], eqx.nn.State]:
        y, state = self.norms[0](self.convs[0](x), state)
        y, state = self.norms[1](self.convs[1](self.activation(y)), state)
        if self.shortcut is not None:
            layer, norm = self.shortcut
            x, state = norm(layer(x), state)
        return self.activation(x + y), state


class Resnet(eqx.Module):
    """3×3 stem without pooling, four stages, global average pool, one logit."""

    stem: eqx.nn.Conv2d
    norm: BatchNorm
    blocks: tuple[Block, ...]
    last: eqx.nn.Linear
    activation: Callable = eqx.field(static=True)

    def __call__(
        self, x: Float[Array, "channels height width"], state: eqx.nn.State
    ) -> tuple[Float[Array, ""], eqx.nn.State]:
        x, state = self.norm(self.stem(x), state)
        x = self.activation(x)
        for block in self.blocks:
            x, state = block(x, state)
        return self.last(jnp.mean(x, axis=(1, 2))), state


def _make(spec: ResnetModel, channels: int, key: PRNGKeyArray) -> Resnet:
    stem_key, last_key, *keys = jax.random.split(key, 2 + sum(_BLOCKS[spec.depth]))
    activation = ACTIVATIONS[spec.activation]
    blocks, inputs = [], spec.width
    for stage, count in enumerate(_BLOCKS[spec.depth]):
        for position in range(count):
            stride = 2 if stage > 0 and position == 0 else 1
            blocks.append(Block(inputs, spec.width * 2**stage, stride, activation, keys[len(blocks)]))
            inputs = spec.width * 2**stage
    return Resnet(
        stem=conv(channels, spec.width, 3, stem_key, use_bias=False),
        norm=BatchNorm(spec.width),
        blocks=tuple(blocks),
        last=linear(inputs, "scalar", last_key),
        activation=activation,
    )


def make(spec: ResnetModel, input_shape: tuple[int, ...], key: PRNGKeyArray) -> tuple[Resnet, eqx.nn.State]:
    """The network and its running statistics, for images of shape (channels, height, width)."""
    if len(input_shape) != 3:
        raise LinstudyError(f"model resnet: needs images of shape (channels, height, width); got {input_shape}")
    return eqx.nn.make_with_state(_make)(spec, input_shape[0], key)
