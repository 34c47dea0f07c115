"""Grams whose tiles four devices share, against those of one device."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from several_devices import DEVICES, computed_on_four
from tolerance import assert_close

from linstudy.models.layers import linear
from linstudy.models.network import make_network
from linstudy.models.resnet import Block
from linstudy.spec.model import LenetModel, MlpModel
from linstudy.tangent import GramOperator, freeze, ntk_diagonal, ntk_gram
from linstudy.tangent.placement import everywhere, spread

SHAPE = (1, 8, 8)
SAMPLES, OTHERS = 11, 6  # neither is a multiple of the devices


class OneBlock(eqx.Module):
    """The least of a residual network: a ResNet18 is compiled for half a minute."""

    block: Block
    last: eqx.nn.Linear

    def __init__(self, key):
        first, second = jax.random.split(key)
        self.block = Block(1, 3, 2, jax.nn.relu, first)
        self.last = linear(3, "scalar", second)

    def __call__(self, x, state):
        x, state = self.block(x, state)
        return self.last(jnp.mean(x, (1, 2))), state


MODELS = {
    "mlp": lambda: make_network(MlpModel(kind="mlp", hidden=(7, 5)), SHAPE, 0),
    "lenet": lambda: make_network(LenetModel(kind="lenet"), SHAPE, 0),
    "residual": lambda: eqx.nn.make_with_state(OneBlock)(jax.random.PRNGKey(0)),
}


def kernels(name):
    """Everything that tiles give, of one model."""
    generator = np.random.default_rng(0)
    model = freeze(*MODELS[name]())
    inputs, others = (generator.standard_normal((count, *SHAPE)) for count in (SAMPLES, OTHERS))
    found = {"gram": ntk_gram(model, inputs), "cross": ntk_gram(model, others, inputs)}
    if name == "mlp":
        found["tiles"] = ntk_gram(model, inputs, tile=3, memory_budget=1)
        found["diagonal"] = ntk_diagonal(model, inputs)
        found["product"] = GramOperator(model, inputs) @ generator.standard_normal((SAMPLES, 2))
    return found


def computed():
    found = {f"{name} {what}": array for name in MODELS for what, array in kernels(name).items()}
    eight = jnp.arange(8.0)
    shards = [[shard.data.shape[0] for shard in place(eight).addressable_shards] for place in (spread, everywhere)]
    return {**found, "shards": np.array(shards)}


@pytest.fixture(scope="module")
def on_four(tmp_path_factory):
    return computed_on_four(__file__, tmp_path_factory.mktemp("devices"))


@pytest.mark.parametrize("name", MODELS)
def test_four_devices_give_what_one_gives(on_four, name):
    alone = kernels(name)
    for what, array in alone.items():
        assert_close(on_four[f"{name} {what}"], array, rtol=1e-13)  # sums in another order, and nothing else


def test_samples_are_spread_over_all_devices(on_four):
    assert on_four["shards"].tolist() == [[8 // DEVICES] * DEVICES, [8] * DEVICES]
