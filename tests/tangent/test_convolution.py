"""Fast convolutions change the program of a model, and nothing that the model sees."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.models.layers import conv
from linstudy.tangent import linearize, merge, ntk_gram, split
from linstudy.tangent.convolution import with_fast_convolutions

pytestmark = pytest.mark.product_settings  # in float64 nothing is changed


class AsksForItsClass(eqx.Module):
    """Another function where its layers are not of their own class."""

    conv: eqx.nn.Conv2d
    last: eqx.nn.Linear
    exactly: bool

    def __call__(self, x):
        for layer, kind in ((self.conv, eqx.nn.Conv2d), (self.last, eqx.nn.Linear)):
            own = type(layer) is kind if self.exactly else isinstance(layer, kind)
            x = x if own else 10 * x
        return self.last(jnp.mean(jax.nn.gelu(self.conv(x)), axis=(1, 2)))


def asking(key, exactly):
    first, second = jax.random.split(key)
    return AsksForItsClass(eqx.nn.Conv2d(2, 4, 3, key=first), eqx.nn.Linear(4, "scalar", key=second), exactly)


def explicit_gram(model, inputs):
    parameters, static = split(model)
    rows = [jax.grad(lambda point, x=x: merge(point, static)(x))(parameters) for x in inputs]
    flat = np.stack([np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(row)]) for row in rows])
    return flat @ flat.T


@pytest.mark.parametrize(
    ("exactly", "how"),
    [(False, "structured"), (True, "explicit gradients: the factors of two samples do not give their explicit Gram")],
)
def test_layers_are_of_their_own_class_wherever_a_model_is_called(exactly, how, getkey):
    """With `type(layer) is` too: the Gram's taps are not, and their factors are seen to be wrong."""
    model, inputs = asking(getkey(), exactly), jax.random.normal(getkey(), (5, 2, 8, 8))
    right = jax.vmap(model)(inputs)
    assert_close(jax.jit(jax.vmap(with_fast_convolutions(model)))(inputs), right)
    assert_close(jax.vmap(linearize(model))(inputs), right)
    told = []
    assert_close(ntk_gram(model, inputs, chose=told.append), explicit_gram(model, inputs))
    assert told == [how]


class Within(eqx.Module):
    """A convolution inside of one of JAX's transformations."""

    conv: eqx.nn.Conv2d
    how: str

    def __call__(self, x):
        match self.how:
            case "jit":
                return eqx.filter_jit(self.conv)(x)
            case "checkpoint":
                return eqx.filter_checkpoint(self.conv)(x)
            case "scan":
                return jax.lax.scan(lambda y, _: (jnp.tanh(self.conv(y)), None), x, length=2)[0]
            case "cond":
                return jax.lax.cond(x[0, 0, 0] > 0, lambda y: self.conv(y), lambda y: 2 * self.conv(y), x)
            case "vmap":
                return jax.vmap(self.conv)(jnp.stack([x, 2 * x]))
            case _:
                return self.conv(x)


@pytest.mark.parametrize("how", ["plain", "jit", "checkpoint", "scan", "cond", "vmap"])
def test_a_starved_convolution_is_found_wherever_it_stands(how, getkey):
    model, x = Within(conv(2, 2, 3, getkey()), how), jax.random.normal(getkey(), (2, 6, 6))
    fast = with_fast_convolutions(model)
    program = str(jax.make_jaxpr(fast)(x))
    assert "tiled_convolution" in program
    assert "conv_general_dilated" not in program
    assert_close(jax.jit(fast)(x), model(x))

    def loss(call):
        return lambda image: jnp.sum(jnp.sin(call(image)))

    assert_close(jax.jit(jax.grad(loss(fast)))(x), jax.grad(loss(model))(x))


@pytest.mark.parametrize(
    "options",
    [{"stride": 2}, {"dilation": 2}, {"groups": 2}, {"padding": 3}, {"padding_mode": "CIRCULAR", "padding": 1}],
)
def test_what_tiles_cannot_compute_stays(options, getkey):
    model, x = eqx.nn.Conv2d(2, 4, 3, key=getkey(), **options), jax.random.normal(getkey(), (2, 8, 8))
    program = str(jax.make_jaxpr(with_fast_convolutions(model))(x))
    assert ("tiled_convolution" in program) == ("padding_mode" in options)  # which pads beforehand
    assert_close(jax.jit(with_fast_convolutions(model))(x), model(x))


def test_enough_channels_and_float64_stay(getkey):
    x = jax.random.normal(getkey(), (32, 6, 6))
    wide = with_fast_convolutions(conv(32, 32, 3, getkey()))
    assert "tiled_convolution" not in str(jax.make_jaxpr(wide)(x))
    with jax.enable_x64(True):
        narrow = with_fast_convolutions(conv(2, 2, 3, getkey()))
        assert "tiled_convolution" not in str(jax.make_jaxpr(narrow)(jnp.ones((2, 6, 6))))


def test_arguments_and_results_of_any_kind_pass(getkey):
    layer = conv(2, 2, 3, getkey())

    def call(x, state, *, key=None):
        constants = (jnp.array(False), jnp.float32(2))
        return layer(x), {"state": state, "word": "static", "key": key, "constants": constants}

    x = jax.random.normal(getkey(), (2, 5, 5))
    found, rest = with_fast_convolutions(call)(x, None, key=jnp.ones(2))
    assert_close(found, layer(x))
    assert rest["state"] is None
    assert rest["word"] == "static"
    assert np.array_equal(rest["key"], jnp.ones(2))
    assert [(type(one), one.dtype) for one in rest["constants"]] == [
        (type(found), np.dtype(bool)),
        (type(found), np.dtype(np.float32)),
    ]
