import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from tolerance import assert_close

from linstudy.data import Places
from linstudy.data.places import HERE
from linstudy.models.layers import BATCH_AXIS, BatchNorm
from linstudy.models.network import KINDS, Stateless, make_network
from linstudy.models.resnet import Block
from linstudy.models.source import model_source
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel, LenetModel, MlpModel, Model, ResnetModel
from linstudy.tangent.freeze import freeze


def dense(layer, x):
    return np.asarray(layer.weight) @ x + np.asarray(layer.bias)


def convolved(layer, x, stride=1):
    """Every output channel as a sum of two-dimensional correlations, zero-padded to the same size, then strided."""
    weight = np.asarray(layer.weight)
    padding = weight.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    images = [
        sum(scipy.signal.correlate2d(a, w, "valid") for a, w in zip(padded, kernels, strict=True)) for kernels in weight
    ]
    bias = 0.0 if layer.bias is None else np.asarray(layer.bias)
    return (np.stack(images) + bias)[:, ::stride, ::stride]


def pooled(x):
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return sum(x[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)) / 4


def relu(x):
    return np.maximum(x, 0)


def with_random_leaves(spec, shape):
    """A model with weights and biases from NumPy: at initialization the biases are zero, where an oracle is blind."""
    generator = np.random.default_rng(0)
    network, _ = eqx.filter_eval_shape(make_network, spec, shape, 0)
    return jax.tree.map(
        lambda leaf: jnp.asarray(generator.normal(0, 0.3, leaf.shape)) if hasattr(leaf, "shape") else leaf,
        network.model,
    )


def test_the_table_has_every_kind_of_the_spec():
    union = Model.__origin__.__args__
    assert set(KINDS) == {kind.model_fields["kind"].annotation.__args__[0] for kind in union}


# Closed forms: an MLP of 3072, 100, 100, 1 has 307,300 + 10,100 + 101; LeNet on 3×32×32 has 456 + 2,416 +
# 1024·120 + 120 + 120·84 + 84 + 85. The residual networks have 11,173,962 and 21,282,122 with ten logits, less nine
# rows of 513.
@pytest.mark.parametrize(
    ("spec", "shape", "count"),
    [
        (MlpModel(kind="mlp"), (3, 32, 32), 317_501),
        (MlpModel(kind="mlp", hidden=(5,)), (4,), 31),
        (LenetModel(kind="lenet"), (3, 32, 32), 136_121),
        (LenetModel(kind="lenet"), (1, 8, 8), 156 + 2_416 + 64 * 120 + 120 + 10_164 + 85),
        (ResnetModel(kind="resnet"), (3, 32, 32), 11_169_345),
        (ResnetModel(kind="resnet", depth=34), (3, 32, 32), 21_277_505),
    ],
)
def test_parameter_counts(spec, shape, count):
    model, _ = eqx.filter_eval_shape(make_network, spec, shape, 0)
    shapes = [leaf for leaf in jax.tree.leaves(model) if isinstance(leaf, jax.ShapeDtypeStruct)]
    assert sum(leaf.size for leaf in shapes) == count
    assert all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in shapes)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_mlp_equals_its_formula(getkey, activation):
    mlp = with_random_leaves(MlpModel(kind="mlp", hidden=(6, 5), activation=activation), (2, 3, 2))
    x = jax.random.normal(getkey(), (2, 3, 2))
    hidden = np.asarray(x).ravel()
    for layer in mlp.hidden:
        hidden = np.asarray({"relu": jax.nn.relu, "gelu": jax.nn.gelu}[activation](jnp.asarray(dense(layer, hidden))))
    output, state = Stateless(mlp)(x, None)
    assert_close(output, dense(mlp.last, hidden)[0])
    assert state is None


def test_lenet_equals_its_formula(getkey):
    shape = (2, 9, 14)
    lenet = with_random_leaves(LenetModel(kind="lenet"), shape)
    x = jax.random.normal(getkey(), shape)
    image = np.asarray(x)
    for layer in lenet.convs:
        image = pooled(relu(convolved(layer, image)))
    hidden = image.ravel()
    for layer in lenet.hidden:
        hidden = relu(dense(layer, hidden))
    assert_close(eqx.filter_jit(lenet)(x), dense(lenet.last, hidden)[0])


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(2, 3, 2), (3, 3, 1)])
def test_a_block_equals_its_formula(getkey, inputs, outputs, stride):
    block, state = eqx.nn.make_with_state(Block)(inputs, outputs, stride, jax.nn.relu, getkey())
    block = eqx.nn.inference_mode(eqx.tree_at(lambda node: node.norms[1].scale, block, jnp.full((outputs,), 2.0)))
    x = jax.random.normal(getkey(), (inputs, 6, 8))
    unit = 1 / np.sqrt(1 + 1e-5)
    first = relu(convolved(block.convs[0], np.asarray(x), stride) * unit)
    branch = convolved(block.convs[1], first) * 2 * unit
    through = np.asarray(x) if block.shortcut is None else convolved(block.shortcut[0], np.asarray(x), stride) * unit
    assert (block.shortcut is None) == (stride == 1 and inputs == outputs)
    assert_close(eqx.filter_jit(block)(x, state)[0], relu(branch + through))


def test_the_stages_of_a_resnet_double_their_channels_and_halve_the_image():
    network, state = eqx.filter_eval_shape(make_network, ResnetModel(kind="resnet", depth=34, width=2), (3, 16, 16), 0)
    x = eqx.filter_eval_shape(network.stem, jax.ShapeDtypeStruct((3, 16, 16), jnp.float64))
    shapes = []
    for block in eqx.nn.inference_mode(network).blocks:
        x, state = eqx.filter_eval_shape(block, x, state)
        shapes.append(x.shape)
    assert shapes == [(2, 16, 16)] * 3 + [(4, 8, 8)] * 4 + [(8, 4, 4)] * 6 + [(16, 2, 2)] * 3
    assert network.last.weight.shape == (1, 16)


def test_only_the_last_norm_of_a_block_starts_at_zero(getkey):
    block, _ = eqx.nn.make_with_state(Block)(1, 2, 1, jax.nn.relu, getkey())
    assert block.norms[0].scale.tolist() == block.shortcut[1].scale.tolist() == [1, 1]
    assert block.norms[1].scale.tolist() == [0, 0]


def test_the_convolutions_of_a_resnet_have_no_bias():
    network, _ = eqx.filter_eval_shape(make_network, ResnetModel(kind="resnet", width=2), (1, 8, 8), 0)
    convs = [leaf for leaf in jax.tree.leaves(network, is_leaf=is_conv) if is_conv(leaf)]
    assert len(convs) == 20, "a stem, two for each of 8 blocks, a shortcut for each of 3 stages"
    assert all(layer.bias is None for layer in convs)


def is_conv(node):
    return isinstance(node, eqx.nn.Conv2d)


class OneBlock(eqx.Module):
    block: Block

    def __call__(self, x, state):
        x, state = self.block(x, state)
        return jnp.sum(x), state


def test_a_frozen_block_treats_every_sample_by_itself(getkey):
    block, state = eqx.nn.make_with_state(Block)(1, 2, 1, jax.nn.relu, getkey())
    network = OneBlock(eqx.tree_at(lambda node: node.norms[1].scale, block, jnp.ones(2)))
    x = jax.random.normal(getkey(), (3, 1, 6, 6))
    mapped = jax.vmap(network, in_axes=(0, None), out_axes=(0, None), axis_name=BATCH_AXIS)
    batched = eqx.filter_jit(lambda x, state: mapped(x, state))
    _, state = batched(x, state)
    model = freeze(network, state)
    gradient = eqx.filter_jit(eqx.filter_grad(lambda model, x: model(x)))
    together = jax.vmap(gradient, in_axes=(None, 0))(model, x)
    alone = gradient(model, x[1])
    for many, one in zip(jax.tree.leaves(together.model), jax.tree.leaves(alone.model), strict=True):
        assert_close(many[1], one)
    assert not np.asarray(jax.jit(jax.grad(lambda x: jax.vmap(model)(x)[0]))(x)[1]).any()
    trained = jax.jit(jax.grad(lambda x: batched(x, state)[0][0]))(x)
    assert np.asarray(trained[1]).any(), "batch statistics do couple the samples"


def test_a_seed_means_the_same_network_in_both_precisions_and_another_seed_another():
    spec = MlpModel(kind="mlp", hidden=(4,))
    networks = {}
    for double in (False, True):
        with jax.enable_x64(double):
            leaves = jax.tree.leaves(eqx.filter(make_network(spec, (1, 8, 8), 4)[0], eqx.is_inexact_array))
            networks[double] = [np.asarray(leaf) for leaf in leaves]
    assert all(leaf.dtype == np.float64 for leaf in networks[True])
    assert all(np.array_equal(*pair) for pair in zip(networks[False], networks[True], strict=True))
    other = jax.tree.leaves(eqx.filter(make_network(spec, (1, 8, 8), 5)[0], eqx.is_inexact_array))
    assert not np.array_equal(other[0], networks[True][0])


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        (LenetModel(kind="lenet"), (1, 3, 8), "model lenet: needs images of shape"),
        (LenetModel(kind="lenet"), (64,), "model lenet: needs images of shape"),
        (ResnetModel(kind="resnet"), (64,), "model resnet: needs images of shape"),
    ],
)
def test_inputs_that_do_not_fit_are_rejected(spec, shape, message):
    with pytest.raises(LinstudyError, match=message) as caught:
        make_network(spec, shape, 0)
    assert str(shape) in str(caught.value)


USERS_MODULE = """
import equinox as eqx
import jax.numpy as jnp
from linstudy.models.layers import BatchNorm, linear

class Sum(eqx.Module):
    weight: object
    def __call__(self, x):
        return jnp.sum(self.weight * x)

class Normed(eqx.Module):
    norm: BatchNorm
    def __init__(self, shape, key):
        self.norm = BatchNorm(shape[0])
    def __call__(self, x, state):
        x, state = self.norm(x, state)
        return jnp.sum(x), state

def stateless(shape, key, *, factor):
    return Sum(jnp.full(shape, factor))

def stateful(shape, key):
    return eqx.nn.make_with_state(Normed)(shape, key)

def number(shape, key):
    return 3

def triple(shape, key):
    return stateless(shape, key, factor=1.0), 1, 2
"""


@pytest.fixture
def users_module(tmp_path, monkeypatch):
    """The name of a user's module on the path."""
    name = f"users_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(USERS_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def imported(factory, **arguments):
    return ImportModel(kind="import", factory=factory, arguments=arguments)


def test_an_imported_model_without_state_gets_its_shape_and_arguments(users_module):
    network, state = make_network(imported(f"{users_module}:stateless", factor=2.0), (2, 3), 0)
    output, state = network(jnp.ones((2, 3)), state)
    assert float(output) == 12
    assert state is None


def test_an_imported_model_with_state_keeps_it(users_module):
    network, state = make_network(imported(f"{users_module}:stateful"), (2, 3, 3), 0)
    x = jnp.arange(36.0).reshape(2, 2, 3, 3)
    before = state.get(network.norm.running)
    _, state = jax.vmap(network, in_axes=(0, None), out_axes=(0, None), axis_name=BATCH_AXIS)(x, state)
    assert isinstance(network.norm, BatchNorm)
    assert not np.array_equal(before[0], state.get(network.norm.running)[0])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "cannot be imported: module .* has no attribute 'missing'"),
        ("number", r"returned int; it must return an equinox\.Module, or \(module, state\)"),
        ("triple", r"returned \(Sum, int, int\); it must return"),
    ],
)
def test_a_factory_that_cannot_be_used_is_named(users_module, name, message):
    with pytest.raises(LinstudyError, match=message) as caught:
        make_network(imported(f"{users_module}:{name}"), (2,), 0)
    assert f"model.factory {users_module}:{name}" in str(caught.value)


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(LinstudyError, match=r"model\.factory nowhere\.at_all:make: cannot be imported"):
        make_network(imported("nowhere.at_all:make"), (2,), 0)


def test_the_source_of_an_imported_model_follows_its_file_and_does_not_import_it(users_module, tmp_path):
    spec = imported(f"{users_module}:stateless")
    before = model_source(spec, HERE)
    assert users_module not in sys.modules
    assert list(before) == [users_module]
    assert model_source(imported(f"{users_module}:stateful"), HERE) == before
    (tmp_path / f"{users_module}.py").write_text(USERS_MODULE + "changed = True\n")
    assert model_source(spec, HERE) != before


@pytest.mark.parametrize("factory", ["nowhere:make", "nowhere.at_all:make", "sys:exit"])
def test_a_source_that_is_not_there_says_where_it_was_looked_for(factory):
    with pytest.raises(LinstudyError, match=r"there is no module .* with a source file beside the study file"):
        model_source(imported(factory), HERE)


def test_a_module_beside_the_study_that_another_hides_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path / "installed")
    for folder in ("installed", "study"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own_nets.py").write_text(USERS_MODULE)
    with pytest.raises(LinstudyError, match=r"study/own_nets\.py is hidden by .*installed/own_nets\.py.* Rename yours"):
        model_source(imported("own_nets:stateless"), Places(tmp_path / "study"))
    assert model_source(imported("own_nets:stateless"), Places(tmp_path / "installed"))
