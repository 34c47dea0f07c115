"""Grams from captured layers, against explicit gradients, which share none of their code."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.models.network import make_network
from linstudy.spec.model import LenetModel, MlpModel, ResnetModel
from linstudy.tangent import GramOperator, freeze, linearize, merge, ntk_diagonal, ntk_gram, split
from linstudy.tangent.capture import Captured, call_shapes
from linstudy.tangent.factors import Extent, _kernel_gradient, _rows_at_once, structure_of
from linstudy.tangent.features import batch_features
from linstudy.tangent.kernel_features import KernelFeatures


def explicit_gram(model, inputs, others=None):
    left, right = batch_features(model, inputs), batch_features(model, inputs if others is None else others)
    products = [
        np.asarray(a).reshape(len(a), -1) @ np.asarray(b).reshape(len(b), -1).T
        for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    ]
    return sum(products)


def gram_and_choice(model, inputs, **options):
    told = []
    gram = ntk_gram(model, inputs, chose=told.append, **options)
    return gram, told[0]


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (MlpModel(kind="mlp", hidden=(7, 5)), (2, 4)),
        (LenetModel(kind="lenet"), (2, 9, 8)),
        (ResnetModel(kind="resnet", width=2), (1, 8, 8)),
    ],
)
def test_gram_of_our_models_is_structured_and_equals_explicit_gradients(spec, shape, getkey):
    model = freeze(*make_network(spec, shape, 0))
    inputs = jax.random.normal(getkey(), (6, *shape))
    gram, how = gram_and_choice(model, inputs, tile=3)
    assert how == "structured"
    assert_close(gram, right := explicit_gram(model, inputs))
    assert_close(ntk_gram(model, inputs[:4], inputs[1:], tile=3), right[:4, 1:])
    if spec.kind != "resnet":  # whose diagonal takes seconds to compile
        assert_close(ntk_diagonal(model, inputs), np.diagonal(right))


class Around(eqx.Module):
    """One layer of any kind, then a dense layer to one logit."""

    layer: eqx.Module
    last: eqx.nn.Linear

    def __init__(self, layer, shape, key):
        self.layer = layer
        self.last = eqx.nn.Linear(eqx.filter_eval_shape(layer, jnp.zeros(shape)).size, "scalar", key=key)

    def __call__(self, x):
        return self.last(jnp.ravel(jnp.tanh(self.layer(x))))


CONVOLUTIONS = {
    "strided": lambda key: eqx.nn.Conv2d(2, 3, 3, stride=2, padding=1, key=key),
    "dilated": lambda key: eqx.nn.Conv2d(2, 3, 3, dilation=2, padding=2, key=key),
    "unpadded": lambda key: eqx.nn.Conv2d(2, 3, 3, key=key),
    "uneven": lambda key: eqx.nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=((0, 2), (1, 0)), key=key),
    "without bias": lambda key: eqx.nn.Conv2d(2, 3, 3, padding=1, use_bias=False, key=key),
    "1×1": lambda key: eqx.nn.Conv2d(2, 5, 1, key=key),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_gram_of_every_convolution(kind, getkey):
    model = Around(CONVOLUTIONS[kind](getkey()), (2, 7, 8), getkey())
    inputs = jax.random.normal(getkey(), (16, 2, 7, 8))
    right = explicit_gram(model, inputs)
    for samples in (3, 16):
        gram, how = gram_and_choice(model, inputs[:samples])
        assert how == "structured"
        assert_close(gram, right[:samples, :samples])


@pytest.mark.parametrize("dimensions", [1, 3])
def test_gram_of_convolutions_in_other_dimensions(dimensions, getkey):
    shape = (2, *[5] * dimensions)
    layer = {1: eqx.nn.Conv1d, 3: eqx.nn.Conv3d}[dimensions](2, 3, 3, stride=2, padding=1, key=getkey())
    model = Around(layer, shape, getkey())
    inputs = jax.random.normal(getkey(), (4, *shape))
    gram, how = gram_and_choice(model, inputs)
    assert how == "structured"
    assert_close(gram, explicit_gram(model, inputs))


@pytest.mark.parametrize("options", [{"groups": 2}, {"padding": "SAME"}, {"padding": 1, "padding_mode": "CIRCULAR"}])
def test_convolutions_without_factors_go_by_explicit_gradients(options, getkey):
    model = Around(eqx.nn.Conv2d(2, 4, 3, key=getkey(), **options), (2, 5, 5), getkey())
    inputs = jax.random.normal(getkey(), (4, 2, 5, 5))
    assert len(call_shapes(model, inputs[0])) == 1  # the last layer alone
    assert_close(ntk_gram(model, inputs), explicit_gram(model, inputs))


class Standardized(eqx.nn.Conv2d):
    """Does not convolve with its weight itself."""

    def __call__(self, x, *, key=None):
        weight = (self.weight - self.weight.mean()) / self.weight.std()
        return eqx.tree_at(lambda layer: layer.weight, self, weight)._plain(x)

    def _plain(self, x):
        return eqx.nn.Conv.__call__(self, x)


class WithGain(eqx.nn.Linear):
    """Has a parameter more, whose part of the Gram is 1/2,000 of the layer's."""

    gain: jax.Array

    def __init__(self, inputs, outputs, key):
        super().__init__(inputs, outputs, key=key)
        self.gain = jnp.ones(())

    def __call__(self, x, *, key=None):
        return self.gain * super().__call__(x)


@pytest.mark.product_settings
@pytest.mark.parametrize(
    ("make", "shape"),
    [(lambda key: Standardized(2, 3, 3, key=key), (2, 5, 5)), (lambda key: WithGain(2000, 3, key), (2000,))],
)
def test_layers_of_a_user_that_compute_otherwise_are_what_they_are(make, shape, getkey):
    """In float32, where plain convolutions would be computed in tiles, and a small part hides in the rounding."""
    layer = make(getkey())
    model = Around(layer, shape, getkey())
    inputs = jax.random.normal(getkey(), (4, *shape))
    assert len(call_shapes(model, inputs[0])) == 1  # the last layer alone
    parameters, static = split(model)
    rows = [jax.grad(lambda point, x=x: merge(point, static)(x))(parameters) for x in inputs]
    flat = np.stack([np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(row)]) for row in rows])
    assert_close(ntk_gram(model, inputs), flat @ flat.T, rtol=1e-5)  # float32


class Twice(eqx.Module):
    layer: eqx.nn.Linear
    last: eqx.nn.Linear

    def __call__(self, x):
        return self.last(jnp.tanh(self.layer(jnp.tanh(self.layer(x)))))


class Scanned(Twice):
    def __call__(self, x):
        return self.last(jax.lax.scan(lambda y, _: (jnp.tanh(self.layer(y)), None), x, length=3)[0])


class Mapped(Twice):
    def __call__(self, x):
        return self.last(jnp.tanh(jax.vmap(self.layer)(jnp.stack([x, 2 * x, x**2]))).sum(0))


class Read(Twice):
    def __call__(self, x):
        return self.last(jnp.tanh(self.layer(x))) + jnp.sum(self.layer.weight**3)


class Unused(Twice):
    def __call__(self, x):
        return self.last(x)


class Compiled(Twice):
    def __call__(self, x):
        return self.last(eqx.filter_jit(lambda y: jnp.tanh(self.layer(y)))(x))


class Rematerialized(Twice):
    def __call__(self, x):
        return self.last(eqx.filter_checkpoint(lambda y: jnp.tanh(self.layer(y)))(x))


class SometimesUsed(Twice):
    def __call__(self, x):
        return self.last(jax.lax.cond(x[0] > 0, lambda y: jnp.tanh(self.layer(y)), lambda y: y, x))


class WithJvp(Twice):
    def __call__(self, x):
        return self.last(jax.jvp(self.layer, (x,), (x**2,))[1])


class Attention(eqx.Module):
    attend: eqx.nn.MultiheadAttention
    last: eqx.nn.Linear

    def __call__(self, x):
        tokens = jnp.stack([x, jnp.tanh(x), x**2])
        return self.last(self.attend(tokens, tokens, tokens).mean(0))


class Tied(eqx.Module):
    shared: eqx.nn.Shared
    last: eqx.nn.Linear

    def __init__(self, key):
        first, second = jax.random.split(key)
        layers = (eqx.nn.Linear(4, 4, key=first), eqx.nn.Linear(4, 4, key=second))
        self.shared = eqx.nn.Shared(layers, lambda pair: pair[1].weight, lambda pair: pair[0].weight)
        self.last = eqx.nn.Linear(4, "scalar", key=second)

    def __call__(self, x):
        one, other = self.shared()
        return self.last(jnp.tanh(other(jnp.tanh(one(x)))))


def odd_model(kind, key):
    first, second = jax.random.split(key)
    if kind is Attention:
        return Attention(eqx.nn.MultiheadAttention(2, 4, key=first), eqx.nn.Linear(4, "scalar", key=second))
    if kind is Tied:
        return Tied(key)
    return kind(eqx.nn.Linear(4, 4, key=first), eqx.nn.Linear(4, "scalar", key=second))


ODD = {
    Twice: "structured: 1 layers are called more than once",
    Scanned: "structured: 1 layers are called more than once",
    Mapped: "structured: 1 layers are called more than once",
    Attention: "structured: 4 layers are called more than once",
    Read: "structured",
    Unused: "structured",
    Compiled: "structured",
    Rematerialized: "structured",
    SometimesUsed: "structured",
    Tied: "structured",
    WithJvp: "explicit gradients: TypeError with wrapped layers",
}


@pytest.mark.parametrize("kind", ODD)
def test_gram_is_right_however_a_model_uses_its_layers(kind, getkey):
    model = odd_model(kind, getkey())
    inputs = jax.random.normal(getkey(), (5, 4))
    gram, how = gram_and_choice(model, inputs)
    assert how == ODD[kind]
    assert_close(gram, explicit_gram(model, inputs))


def test_a_wrong_factor_is_found_by_the_two_samples(getkey, monkeypatch):
    """The negative control: a capture that counts nothing is still never silently wrong."""
    import linstudy.tangent.capture as room

    plain = room._tap_backward

    def without_count(inputs, cotangent):
        output, none, seen = plain(inputs, cotangent)
        return output, none, eqx.tree_at(lambda node: node.calls, seen, jnp.ones((), cotangent.dtype))

    room._tap.defvjp(room._tap_forward, without_count)
    try:
        # of another shape than in the test above, for which a program is compiled already
        model, inputs = odd_model(Mapped, getkey()), jax.random.normal(getkey(), (7, 4))
        gram, how = gram_and_choice(model, inputs)
    finally:
        room._tap.defvjp(room._tap_forward, plain)
    assert how == "explicit gradients: the factors of two samples do not give their explicit Gram"
    assert_close(gram, explicit_gram(model, inputs))


def test_layers_called_again_after_the_first_batch_are_found(mlp, getkey):
    features = KernelFeatures(mlp, jnp.ones(4), 9)
    for _ in range(3):
        features(jax.random.normal(getkey(), (3, 4)))
    features.confirm()
    features(jax.random.normal(getkey(), (3, 4)))
    # no model is known whose calls depend on its inputs once they are mapped; so pretend
    features._unconfirmed[-1] = features._unconfirmed[-1].at[1].add(1)
    with pytest.raises(RuntimeError, match="structured=False"):
        features.confirm()


def test_a_model_is_examined_once_whatever_its_weights(make_mlp, getkey, monkeypatch):
    import linstudy.tangent.kernel_features as room

    examined, plain = [], room.call_shapes
    monkeypatch.setattr(room, "_KNOWN", {})
    monkeypatch.setattr(room, "call_shapes", lambda *arguments: examined.append(1) or plain(*arguments))
    inputs = jax.random.normal(getkey(), (5, 4))
    for sizes in ((4, 3), (4, 3), (4, 5)):
        model = make_mlp(sizes, getkey())
        assert_close(ntk_gram(model, inputs), explicit_gram(model, inputs))
    assert len(examined) == 2


@pytest.mark.parametrize(
    ("outputs", "height", "rows"), [(1, 4, 4), (5, 3, 1), (6, 4, 4), (7, 4, 2), (12, 6, 2), (13, 6, 1), (40, 6, 1)]
)
def test_kernel_gradients_of_some_rows_at_once(outputs, height, rows, getkey):
    layer = eqx.nn.Conv2d(2, outputs, (2, 3), padding=((1, 0), (2, 1)), key=getkey())
    assert _rows_at_once(layer, height) == rows
    images = jax.random.normal(getkey(), (3, 2, height, 5))
    deltas = jax.random.normal(getkey(), (3, outputs, height, 6))

    def linear(layer, image, delta):
        return jnp.sum(layer(image) * delta)

    right = eqx.filter_jit(jax.vmap(eqx.filter_grad(linear), in_axes=(None, 0, 0)))(layer, images, deltas)
    found = eqx.filter_jit(_kernel_gradient)(layer, jax.vmap(Captured)(images, deltas, jnp.ones(3)))
    weight, bias = found[:, :-outputs], found[:, -outputs:]
    # in the order input channel, row, column, output channel
    assert_close(weight.reshape(3, 2, 2, 3, outputs), jnp.moveaxis(right.weight, 1, -1))
    assert_close(bias, right.bias[:, :, 0, 0])


def test_models_that_differ_in_a_lambda_alone_have_each_its_gram(make_mlp, getkey):
    key, inputs = getkey(), jax.random.normal(getkey(), (5, 4))
    models = [make_mlp((4, 3), key, activation=lambda z, factor=factor: jnp.tanh(factor * z)) for factor in (1.0, 3.0)]
    grams = [ntk_gram(model, inputs) for model in models]
    for gram, model in zip(grams, models, strict=True):
        assert_close(gram, explicit_gram(model, inputs))
    assert np.abs(grams[0] - grams[1]).max() > 1e-2


def test_gram_of_a_linearization_is_its_anchors(conv, getkey):
    inputs = jax.random.normal(getkey(), (5, 2, 4, 4))
    linear = linearize(conv)
    moved = eqx.tree_at(lambda node: node.parameters, linear, jax.tree.map(lambda leaf: leaf + 1, linear.parameters))
    gram, how = gram_and_choice(moved, inputs)
    assert how == "structured"
    assert_close(gram, explicit_gram(conv, inputs))
    assert_close(gram, explicit_gram(moved, inputs))


def test_explicit_gradients_by_request(conv, getkey):
    inputs = jax.random.normal(getkey(), (5, 2, 4, 4))
    gram, how = gram_and_choice(conv, inputs, structured=False)
    assert how == "explicit gradients: by request"
    assert_close(gram, ntk_gram(conv, inputs))


def test_positions_and_kernels_give_the_same(getkey):
    """At 5 × 5 positions the form depends on the number of samples, the Gram does not."""
    model = Around(eqx.nn.Conv2d(8, 8, 3, padding=1, key=getkey()), (8, 3, 3), getkey())
    inputs = jax.random.normal(getkey(), (6, 8, 3, 3))
    shapes = call_shapes(model, inputs[0])
    assert structure_of(model, shapes, 4).forms != structure_of(model, shapes, 400).forms
    assert_close(ntk_gram(model, inputs), explicit_gram(model, inputs))
    assert_close(ntk_gram(model, jnp.tile(inputs, (70, 1, 1, 1)))[:6, :6], explicit_gram(model, inputs))


def test_the_cheaper_form_is_taken():
    assert Extent(1, 1025, 120).cheaper(1000) == "positions"
    assert Extent(1, 85, 1).cheaper(1000) == "kernel"
    assert Extent(1024, 76, 6).cheaper(1000) == "kernel"
    assert Extent(16, 4608, 512).cheaper(1000) == "positions"


@pytest.mark.parametrize(("spec", "shape"), [(LenetModel(kind="lenet"), (3, 32, 32)), (MlpModel(kind="mlp"), (784,))])
def test_float32_is_within_1e_5_of_explicit_gradients_in_float64(spec, shape, getkey):
    double = freeze(*make_network(spec, shape, 0))
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf, double)
    inputs = np.asarray(jax.random.normal(getkey(), (8, *shape)), np.float32)
    with jax.numpy_dtype_promotion("standard"):
        gram, how = gram_and_choice(single, inputs)
    right = explicit_gram(double, inputs.astype(np.float64))
    assert (gram.dtype, how) == (np.float32, "structured")
    assert np.max(np.abs(gram - right)) < 1e-5 * np.max(np.abs(right))


def test_gram_into_a_memory_mapped_file(conv, getkey, tmp_path):
    inputs = jax.random.normal(getkey(), (7, 2, 4, 4))
    stored = np.lib.format.open_memmap(tmp_path / "gram.npy", "w+", np.float64, (7, 7))
    ntk_gram(conv, inputs, out=stored, tile=2)
    del stored
    assert_close(np.load(tmp_path / "gram.npy"), explicit_gram(conv, inputs))


@pytest.mark.parametrize("samples_in_budget", [1, 4, 1000])
def test_the_operator_equals_the_gram(conv, getkey, samples_in_budget):
    inputs = jax.random.normal(getkey(), (13, 2, 4, 4))
    vectors = np.asarray(jax.random.normal(getkey(), (13, 3)))
    operator = GramOperator(conv, inputs, memory_budget=samples_in_budget * 8 * 200)
    gram = explicit_gram(conv, inputs)
    assert operator.shape == gram.shape
    assert_close(operator @ vectors, gram @ vectors)
    assert_close(operator @ vectors[:, 0], gram @ vectors[:, 0])


def test_a_layer_that_is_called_twice_for_later_samples_alone_is_an_error(getkey):
    class Sometimes(Twice):
        def __call__(self, x):
            return self.last(
                jax.lax.cond(x[0] > 0, lambda y: self.layer(jnp.tanh(self.layer(y))), lambda y: self.layer(y), x)
            )

    model = odd_model(Sometimes, getkey())
    inputs = jnp.abs(jax.random.normal(getkey(), (6, 4))) * jnp.array([-1.0, -1, -1, 1, 1, 1])[:, None]
    with pytest.raises(RuntimeError, match="structured=False"):
        ntk_gram(model, inputs, tile=3)
    assert_close(ntk_gram(model, inputs, structured=False), explicit_gram(model, inputs))


def test_tiles_follow_what_features_are_found_to_hold(getkey):
    """A layer called twice is held as gradients, 20 times what its factors would take: the budget is for those."""
    model = Twice(eqx.nn.Linear(40, 40, key=getkey()), eqx.nn.Linear(40, "scalar", key=getkey()))
    inputs, tiles = jax.random.normal(getkey(), (32, 40)), []
    gram, how = gram_and_choice(model, inputs, memory_budget=2**20, progress=tiles.append)
    assert how.startswith("structured: 1 layers are called more than once")
    explicit = []
    ntk_gram(model, inputs, memory_budget=2**20, progress=explicit.append, structured=False)
    once = []
    ntk_gram(Compiled(model.layer, model.last), inputs, memory_budget=2**20, progress=once.append)
    assert len(tiles) == len(explicit) > len(once)
    assert_close(gram, explicit_gram(model, inputs))


def test_gram_of_a_bfloat16_model_is_one_in_float32(getkey):
    model = eqx.nn.MLP(3, "scalar", 8, 1, key=getkey(), dtype=jnp.bfloat16)
    inputs = jax.random.normal(getkey(), (5, 3), jnp.bfloat16)
    gram = ntk_gram(model, inputs)
    assert gram.dtype == np.float32
    assert_close(gram, explicit_gram(model, inputs), rtol=0.05)  # bfloat16
