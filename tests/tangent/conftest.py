"""Small networks."""

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import pytest


class SmallMlp(eqx.Module):
    """Dense layers with biases, flattening its input, to one logit."""

    layers: list
    activation: object = eqx.field(static=True)

    def __init__(self, widths, key, activation=jnp.tanh):
        keys = jax.random.split(key, 2 * len(widths))
        shapes = list(zip(widths, (*widths[1:], "scalar"), strict=True))
        self.layers = [eqx.nn.Linear(i, o, key=k) for (i, o), k in zip(shapes, keys, strict=False)]
        self.activation = activation

    def __call__(self, x):
        x = jnp.ravel(x)
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class SmallConv(eqx.Module):
    """A convolution, a pool and a dense layer, to one logit."""

    conv: eqx.nn.Conv2d
    pool: eqx.nn.AvgPool2d
    dense: eqx.nn.Linear

    def __init__(self, key):
        first, second = jax.random.split(key)
        self.conv = eqx.nn.Conv2d(2, 3, 3, padding=1, key=first)
        self.pool = eqx.nn.AvgPool2d(2, 2)
        self.dense = eqx.nn.Linear(12, "scalar", key=second)

    def __call__(self, x):
        return self.dense(jnp.ravel(self.pool(jax.nn.gelu(self.conv(x)))))


class NormedNet(eqx.Module):
    """A stateful network with Equinox's batch norm."""

    dense: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    head: eqx.nn.Linear

    def __init__(self, key):
        first, second = jax.random.split(key)
        self.dense = eqx.nn.Linear(3, 5, key=first)
        self.norm = eqx.nn.BatchNorm(5, "batch", momentum=0.9, eps=1e-5, mode="batch")
        self.head = eqx.nn.Linear(5, "scalar", key=second)

    def __call__(self, x, state):
        x, state = self.norm(self.dense(x), state)
        return self.head(jnp.tanh(x)), state


@pytest.fixture
def mlp(getkey):
    return SmallMlp((4, 6, 5), getkey())


@pytest.fixture
def conv(getkey):
    return SmallConv(getkey())


@pytest.fixture
def normed(getkey):
    """The stateful network and its initial state."""
    return eqx.nn.make_with_state(NormedNet)(getkey())


@pytest.fixture
def make_mlp():
    return SmallMlp


@pytest.fixture
def dense_jacobian():
    """J by forward differentiation along every parameter, "samples parameters": an oracle that shares no code."""

    def jacobian(model, inputs):
        arrays, rest = eqx.partition(model, eqx.is_inexact_array)
        flat, unravel = jax.flatten_util.ravel_pytree(arrays)
        return jnp.stack([jax.jacfwd(lambda p, x=x: eqx.combine(unravel(p), rest)(x))(flat) for x in inputs])

    return jacobian
