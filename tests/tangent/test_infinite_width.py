import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.tangent import infinite_width, infinite_width_gram, ntk_gram

pytestmark = pytest.mark.usefixtures("neural_tangents")

ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu}


def lecun(make, *arguments, key, **options):
    """A layer with weights of variance 1 / fan-in, drawn by NumPy: JAX draws millions of them slowly in this suite."""
    layer = eqx.filter_eval_shape(make, *arguments, key=key, **options)
    shape = layer.weight.shape
    draws = np.random.default_rng(np.asarray(key)).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    new = jnp.asarray(draws, layer.weight.dtype), jnp.zeros(layer.bias.shape, layer.bias.dtype)
    return eqx.tree_at(lambda n: (n.weight, n.bias), layer, new)


class Dense(eqx.Module):
    layers: list
    activation: object = eqx.field(static=True)

    def __init__(self, widths, activation, key):
        keys = jax.random.split(key, len(widths))
        shapes = zip(widths, (*widths[1:], "scalar"), keys, strict=True)
        self.layers = [lecun(eqx.nn.Linear, i, o, key=k) for i, o, k in shapes]
        self.activation = ACTIVATIONS[activation]

    def __call__(self, x):
        x = jnp.ravel(x)
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class LeNet(eqx.Module):
    convolutions: list
    pool: eqx.nn.AvgPool2d
    dense: Dense

    def __init__(self, channels, size, widen, activation, key):
        first, second, third = jax.random.split(key, 3)
        shapes = [(channels, 6 * widen, first), (6 * widen, 16 * widen, second)]
        self.convolutions = [lecun(eqx.nn.Conv2d, i, o, 5, padding=2, key=k) for i, o, k in shapes]
        self.pool = eqx.nn.AvgPool2d(2, 2)
        self.dense = Dense((16 * widen * (size // 4) ** 2, 120 * widen, 84 * widen), activation, third)

    def __call__(self, x):
        for convolution in self.convolutions:
            x = self.pool(self.dense.activation(convolution(x)))
        return self.dense(x)


NETWORKS = 16


def spread_and_offset(make, kernel, inputs, getkey):
    """Of the kernels of random networks: their spread over ‖Θ‖, and how many standard errors their mean is off Θ."""
    limit = infinite_width_gram(kernel, inputs).astype(np.float64)
    grams = np.stack([ntk_gram(make(getkey()), inputs) for _ in range(NETWORKS)]).astype(np.float64)
    mean = np.mean(grams, axis=0)
    spread = np.sqrt(np.sum((grams - mean) ** 2) / (NETWORKS - 1))
    return spread / np.linalg.norm(limit), np.linalg.norm(mean - limit) / (spread / np.sqrt(NETWORKS))


def assert_converges(narrow, wide):
    """Widths 8 times larger: a spread of the order of width^(-1/2) falls by 2.8, of which 16 draws show at least 1.7.

    Θ grows with the width, and both sides are relative to it: dividing them by the width changes nothing. A mean more
    than 5 standard errors off is, with 15 degrees of freedom, a wrong limit.
    """
    assert wide[0] < narrow[0] / 1.7
    assert narrow[1] < 5
    assert wide[1] < 5


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_kernel_of_wide_mlps_converges(getkey, activation):
    inputs = jax.random.normal(getkey(), (6, 2, 3, 3))

    def measured(width):
        kernel = infinite_width.mlp((width, width), activation)
        return spread_and_offset(lambda key: Dense((18, width, width), activation, key), kernel, inputs, getkey)

    assert_converges(measured(32), measured(256))


def test_the_kernel_of_wide_lenets_converges(getkey):
    # Inputs of size 10, so that already narrow networks are ruled by the terms that grow with the width.
    inputs = 10 * jax.random.normal(getkey(), (3, 2, 4, 4), jnp.float32)

    def make(widen, key):
        network = LeNet(2, 4, widen, "gelu", key)
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf, network)

    def measured(widen):
        kernel = infinite_width.lenet("gelu", widen=widen)
        return spread_and_offset(lambda key: make(widen, key), kernel, inputs, getkey)

    assert_converges(measured(1), measured(8))


def test_the_kernel_of_other_widths_is_told_apart(getkey):
    inputs = jax.random.normal(getkey(), (6, 18))
    twice = infinite_width.mlp((1024, 1024), "relu")
    _, offset = spread_and_offset(lambda key: Dense((18, 512, 512), "relu", key), twice, inputs, getkey)
    assert offset > 5


def test_the_mlp_s_kernel_in_closed_form(getkey):
    """One hidden ReLU layer: width K + 1 + K̇ (xᵀx' + 1), with the arc-cosine kernels of Cho and Saul."""
    inputs = jax.random.normal(getkey(), (5, 7))
    products = np.asarray(inputs @ inputs.T) / 7
    norms = np.sqrt(np.outer(np.diagonal(products), np.diagonal(products)))
    angle = np.arccos(np.clip(products / norms, -1, 1))
    values = norms * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    slopes = (np.pi - angle) / (2 * np.pi)
    expected = 50 * values + 1 + slopes * (7 * products + 1)
    # The angle between equal inputs, an arccos at 1, is good to the root of the rounding.
    assert_close(infinite_width_gram(infinite_width.mlp((50,), "relu"), inputs), expected, rtol=1e-7)


@pytest.mark.parametrize("tile", [1, 2, 5, 100])
def test_the_gram_depends_on_neither_tile_nor_side(getkey, tile):
    inputs = np.asarray(jax.random.normal(getkey(), (5, 2, 3, 3)))
    kernel = infinite_width.mlp((10,), "gelu")
    gram = infinite_width_gram(kernel, inputs, tile=tile)
    assert np.array_equal(gram, gram.T)
    assert_close(gram[:, :3], infinite_width_gram(kernel, inputs, inputs[:3], tile=tile))


@pytest.mark.parametrize("after", [1, 4, 5])
@pytest.mark.parametrize("columns", [None, 3])
def test_an_interrupted_gram_goes_on_to_the_same_bits(getkey, after, columns):
    class Interrupted(Exception):
        pass

    def keep(finished):
        told.append(finished)
        if finished.tiles == after:
            raise Interrupted

    inputs = np.asarray(jax.random.normal(getkey(), (5, 4)))
    others, told = None if columns is None else inputs[:columns], []
    gram = functools.partial(infinite_width_gram, infinite_width.mlp((10,), "gelu"), inputs, others, tile=2)
    whole = gram()
    out = np.full(whole.shape, np.nan)
    with pytest.raises(Interrupted):
        gram(out=out, keep=keep)
    assert np.isnan(out).any()
    rest = []
    gram(out=out, finished=told[-1], keep=rest.append)
    assert np.array_equal(out, whole)
    assert [finished.tiles for finished in told + rest] == list(range(1, 7))


def test_the_order_of_pixels_matters_to_lenet_only(getkey):
    inputs = np.asarray(jax.random.normal(getkey(), (3, 2, 8, 8), jnp.float32))
    shuffled = inputs.reshape(3, -1)[:, np.random.default_rng(0).permutation(128)].reshape(inputs.shape)
    dense, convolutional = infinite_width.mlp((10,), "relu"), infinite_width.lenet("relu")
    assert_close(infinite_width_gram(dense, inputs), infinite_width_gram(dense, shuffled))
    difference = infinite_width_gram(convolutional, inputs) - infinite_width_gram(convolutional, shuffled)
    assert np.max(np.abs(difference)) > 1e-2


def test_channels_of_lenet_are_the_first_axis(getkey):
    """Swapping channels changes nothing; swapping a channel axis with a spatial one would."""
    inputs = np.asarray(jax.random.normal(getkey(), (3, 2, 8, 8), jnp.float32))
    kernel = infinite_width.lenet("gelu")
    assert_close(infinite_width_gram(kernel, inputs), infinite_width_gram(kernel, inputs[:, ::-1]))


def test_the_gram_has_the_dtype_of_its_inputs(getkey):
    inputs = jax.random.normal(getkey(), (3, 4), jnp.float32)
    kernel = infinite_width.mlp((10,), "relu")
    gram = infinite_width_gram(kernel, inputs)
    assert gram.dtype == np.float32
    assert_close(gram, infinite_width_gram(kernel, inputs.astype(jnp.float64)), rtol=1e-6)  # rounded once, at the end


@pytest.mark.parametrize("make", [lambda name: infinite_width.mlp((5,), name), infinite_width.lenet])
def test_an_activation_without_a_kernel_is_rejected(make):
    with pytest.raises(ValueError, match="'swish' has no infinite-width kernel here. Allowed: relu, gelu"):
        make("swish")


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only CPUs are affected")
def test_lenet_in_float64_is_refused_where_it_would_end_the_process(monkeypatch, getkey):
    monkeypatch.setattr(jaxlib.version, "__version_info__", (0, 10, 2))
    with pytest.raises(RuntimeError, match="float64 on a CPU.*Pass float32 inputs"):
        infinite_width_gram(infinite_width.lenet("relu"), jax.random.normal(getkey(), (2, 1, 8, 8)))
