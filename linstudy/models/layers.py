"""Layers with the paper's initialization, and batch norm as the paper trains it."""

import functools
import math
import zlib
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu}
"""`gelu` is the tanh approximation, JAX's default and the authors' choice."""

_CUT, _DEVIATION = 2.0, 0.87962566103423978
"""Where the normal distribution is cut off, and the standard deviation of what is left."""

_FEWEST = 2**14

BATCH_AXIS = "batch"
"""Name of the mapped axis over which batch norm takes its statistics."""


def named_key(seed: int, name: str) -> PRNGKeyArray:
    """The key of one use of a seed; the keys of two names are independent."""
    return jax.random.fold_in(jax.random.PRNGKey(seed), zlib.crc32(name.encode()))


def lecun_normal(shape: tuple[int, ...], key: PRNGKeyArray) -> Array:
    """Truncated normal of variance 1/fan-in, for weights of shape (out, in, *kernel): the draws of JAX's initializer.

    Drawn in float32 whatever the precision, so that a seed means the same network in each.
    """
    count, fan_in = math.prod(shape), math.prod(shape[1:])
    drawn = _draws(max(_FEWEST, 1 << (count - 1).bit_length()), key)
    return _scaled(drawn, shape, np.sqrt(np.float32(1 / fan_in)) / np.float32(_DEVIATION))


@functools.partial(jax.jit, static_argnums=0)
def _draws(count: int, key: PRNGKeyArray) -> Float[Array, " count"]:
    # To compile this takes 0.3 s, for each number of draws. Each draw follows from the key and its place alone, since
    # JAX's threefry is partitionable, so the first of many are those of few: powers of two serve all networks.
    return jax.random.truncated_normal(key, -_CUT, _CUT, (count,), jnp.float32)


@functools.partial(jax.jit, static_argnums=1)
def _scaled(drawn: Float[Array, " count"], shape: tuple[int, ...], deviation: Float[Array, ""]) -> Array:
    weights = drawn[: math.prod(shape)].reshape(shape) * deviation
    return weights.astype(jnp.result_type(float))


def linear(inputs: int, outputs: int | Literal["scalar"], key: PRNGKeyArray) -> eqx.nn.Linear:
    """A dense layer: LeCun-normal weight, zero bias. `outputs="scalar"` gives a scalar."""
    return _initialized(functools.partial(eqx.nn.Linear, inputs, outputs), key)


def conv(inputs: int, outputs: int, kernel: int, key: PRNGKeyArray, **options: Any) -> eqx.nn.Conv2d:
    """A convolution that keeps the image's size at stride 1: LeCun-normal kernel, zero bias."""
    return _initialized(functools.partial(eqx.nn.Conv2d, inputs, outputs, kernel, padding=kernel // 2, **options), key)


def _filled(shape: tuple[int, ...], value: float, dtype: Any) -> Array:
    # by NumPy: JAX would compile a program for every shape
    return jnp.array(np.full(shape, value, dtype))


def _initialized(make: Callable[..., Any], key: PRNGKeyArray) -> Any:
    # only the shapes of Equinox's own draws are needed, and those take no time
    layer = eqx.filter_eval_shape(lambda: make(key=key))
    bias = None if layer.bias is None else _filled(layer.bias.shape, 0.0, layer.bias.dtype)
    return eqx.tree_at(
        lambda node: (node.weight, node.bias),
        layer,
        (lecun_normal(layer.weight.shape, key), bias),
        is_leaf=lambda node: node is None,
    )


class BatchNorm(eqx.nn.StatefulLayer):
    """Batch norm: statistics of the batch in training, running ones in inference.

    Running statistics start at mean 0 and variance 1, and move by running ← 0.9 running + 0.1 batch. Equinox's own
    `BatchNorm(mode="batch")` starts its variance at 1 too and then divides by 1 − 0.9ᵗ as if it had started at 0, which
    makes the running variance ten times too large after the first step.
    """

    scale: Float[Array, " channels"]
    shift: Float[Array, " channels"]
    running: eqx.nn.StateIndex
    inference: bool
    momentum: float = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)

    def __init__(self, channels: int, *, scale: float = 1.0, momentum: float = 0.9, epsilon: float = 1e-5):
        dtype = jnp.result_type(float)
        self.scale = _filled((channels,), scale, dtype)
        self.shift = _filled((channels,), 0.0, dtype)
        self.running = eqx.nn.StateIndex((_filled((channels,), 0.0, dtype), _filled((channels,), 1.0, dtype)))
        self.inference = False
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(
        self, x: Float[Array, "channels height width"], state: eqx.nn.State
    ) -> tuple[Float[Array, "channels height width"], eqx.nn.State]:
        """Must run under `jax.vmap(..., axis_name=BATCH_AXIS)` unless in inference."""
        mean, variance = state.get(self.running)
        if not self.inference:
            old_mean, old_variance = mean, variance
            mean = jax.lax.pmean(jnp.mean(x, axis=(1, 2)), BATCH_AXIS)
            variance = jax.lax.pmean(jnp.mean((x - mean[:, None, None]) ** 2, axis=(1, 2)), BATCH_AXIS)
            kept, new = self.momentum, 1 - self.momentum
            running = (kept * old_mean + new * mean, kept * old_variance + new * variance)
            state = state.set(self.running, jax.lax.stop_gradient(running))
        factor = self.scale / jnp.sqrt(variance + self.epsilon)
        return x * factor[:, None, None] + (self.shift - mean * factor)[:, None, None], state
