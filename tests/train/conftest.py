"""Small data and models of known form."""

import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from linstudy.models.layers import BatchNorm, linear
from linstudy.models.network import Stateless
from linstudy.tasks.labelled import Labelled

sys.path.insert(0, str(Path(__file__).parent))


class NormedLinear(eqx.Module):
    """Batch norm, then one dense layer: the smallest model with running statistics."""

    norm: BatchNorm
    last: eqx.nn.Linear

    def __init__(self, inputs, key):
        self.norm = BatchNorm(inputs)
        self.last = linear(inputs, "scalar", key)

    def __call__(self, x, state):
        x, state = self.norm(x[:, None, None], state)
        return self.last(jnp.ravel(x)), state


@pytest.fixture
def mixed_types():
    """Lets optax's Adam raise a Python float to an integer count, which strict promotion forbids."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def labelled():
    """A function that draws a data set of some sizes, labelled by the sign of the first input."""

    def draw(train=50, test=20, inputs=4):
        generator = np.random.default_rng(0)
        x, x_test = (generator.standard_normal((size, inputs)) for size in (train, test))
        y, y_test = (np.where(array[:, 0] >= 0, 1.0, -1.0) for array in (x, x_test))
        return Labelled(x, y, x_test, y_test)

    return draw


@pytest.fixture
def linear_network(getkey):
    """w·x + b, called as every network is."""
    return Stateless(linear(4, "scalar", getkey()))


@pytest.fixture
def mlp(getkey):
    """Two dense layers."""
    first, last = linear(4, 8, getkey()), linear(8, "scalar", getkey())
    return Stateless(eqx.nn.Sequential([first, eqx.nn.Lambda(jax.nn.relu), last]))


@pytest.fixture
def normed(getkey):
    """A network with running statistics, and its state."""
    return eqx.nn.make_with_state(NormedLinear)(4, getkey())
