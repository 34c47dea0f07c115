"""Users' own models with batch norm, small enough to compile in a second."""

import equinox as eqx
import jax
import jax.numpy as jnp

from linstudy.models.layers import BatchNorm, conv, linear


class Normed(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: BatchNorm
    last: eqx.nn.Linear

    def __call__(self, x, state):
        x, state = self.norm(self.conv(x), state)
        return self.last(jnp.mean(jax.nn.relu(x), axis=(1, 2))), state


def _make(channels, key):
    first, second = jax.random.split(key)
    return Normed(conv(channels, 4, 3, first), BatchNorm(4), linear(4, "scalar", second))


def make(input_shape, key):
    return eqx.nn.make_with_state(_make)(input_shape[0], key)


class Dropped(eqx.Module):
    """Equinox's own norm, over samples by another name, and dropout."""

    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout
    last: eqx.nn.Linear

    def __call__(self, x, state, *, key=None):
        x, state = self.norm(self.conv(x), state)
        return self.last(self.dropout(jnp.mean(jax.nn.relu(x), axis=(1, 2)), key=key)), state


def _make_dropped(channels, mode, key):
    first, second = jax.random.split(key)
    norm = eqx.nn.BatchNorm(4, axis_name="samples", mode=mode)
    return Dropped(conv(channels, 4, 3, first), norm, eqx.nn.Dropout(0.3), linear(4, "scalar", second))


def make_dropped(input_shape, key, mode="batch"):
    return eqx.nn.make_with_state(_make_dropped)(input_shape[0], mode, key)


class Complex(eqx.Module):
    weight: jax.Array

    def __call__(self, x):
        return jnp.sum(jnp.real(self.weight * x))


def make_complex(input_shape, key):
    return Complex(jax.random.normal(key, input_shape, jnp.complex64))
