"""What a user's own model may be, and what it is told where it may not."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.models.contract import OnAxis, batch_axis
from linstudy.models.network import make_network
from linstudy.models.parts import model_warnings
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel, LenetModel, MlpModel, ResnetModel
from linstudy.tangent import freeze, ntk_gram, parameter_count, split
from linstudy.tangent.freeze import innermost, takes_key
from linstudy.train.loss import inference_logits, logits_of

SHAPE = (2, 3, 3)

pytestmark = pytest.mark.product_settings


@pytest.fixture
def network(monkeypatch):
    """A function that makes the network of a factory of `users_models`."""
    monkeypatch.syspath_prepend(Path(__file__).parent)

    def make(factory, **arguments):
        return make_network(
            ImportModel(kind="import", factory=f"users_models:{factory}", arguments=arguments), SHAPE, 0
        )

    return make


@pytest.fixture
def inputs():
    return jnp.asarray(np.random.default_rng(0).normal(1, 2, (6, *SHAPE)).astype(np.float32))


@pytest.mark.parametrize(
    ("factory", "arguments", "words"),
    [
        ("complex_scale", {}, r"The parameter \.scale is complex64.*two fields.*`Frozen`"),
        ("two_logits", {}, r"returned shape \(2,\) for one sample.*`logits\[k\]`"),
        ("keyless", {}, r"\.dropout needs a key in training.*`def __call__\(self, x, \*, key=None\)`"),
        ("forgetful", {}, r"\.dropout needs a key in training.*`self\.dropout\(x, key=key\)`"),
        ("normed", {"names": ["one", "two"]}, r"unbound axis name: .*same axis_name.*\"batch\""),
        ("over_nothing", {}, r"unbound axis name: nobodys\. .*\"batch\""),
    ],
)
def test_a_breach_is_told_with_what_to_write(network, factory, arguments, words):
    with pytest.raises(LinstudyError, match=words) as caught:
        network(factory, **arguments)
    assert str(caught.value).startswith(f"model.factory users_models:{factory}: ")


def test_an_error_of_the_models_own_code_is_left_as_it_is(network):
    with pytest.raises(NameError, match="undefined_name"):
        network("over_nothing", typo=True)


def test_dropout_of_rate_0_needs_no_key(network):
    model, _ = network("keyless", rate=0.0)
    assert not takes_key(model)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize(
    ("factory", "arguments"), [("numpy_scale", {}), ("numpy_scale", {"dtype": "float32"}), ("numpy_number", {})]
)
def test_numpy_arrays_are_parameters_of_the_networks_precision(network, inputs, factory, arguments, double):
    with jax.enable_x64(double):
        model, state = network(factory, **arguments)
        leaves = jax.tree.leaves(split(model)[0])
        dtype = np.dtype(np.float64 if double else np.float32)
        assert {leaf.dtype for leaf in leaves} == {dtype}
        assert all(isinstance(leaf, jax.Array) for leaf in leaves)
        how = []
        gram = ntk_gram(freeze(model, state), inputs.astype(dtype), chose=how.append)
        assert how == ["structured"]
        assert gram.dtype == dtype
        rows = jax.vmap(jax.grad(lambda scale, x: scale * model.model.body(x)), (None, 0))(jnp.ones((), dtype), inputs)
        body = ntk_gram(model.model.body, inputs.astype(dtype))
        assert_close(gram, 4 * body + np.outer(rows, rows))  # the scale is 2, and a parameter itself


@pytest.mark.parametrize("factory", ["dropping", "insisting", "sequence", "normed"])
def test_a_model_is_given_keys_in_training_and_none_count_in_inference(network, inputs, factory):
    model, state = network(factory)
    assert takes_key(model)
    draws = [logits_of(model, state, inputs, jax.random.split(jax.random.PRNGKey(seed), 6))[0] for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    frozen = jax.vmap(freeze(model, state))(inputs)
    assert np.array_equal(frozen, inference_logits(model, state, inputs))
    undropped = eqx.tree_at(lambda node: _dropout(node).p, model, 0.0)
    assert_close(frozen, jax.vmap(freeze(undropped, state))(inputs))
    gram = ntk_gram(freeze(model, state), inputs)
    assert_close(gram, ntk_gram(freeze(undropped, state), inputs))


def _dropout(model):
    inner = innermost(model)
    return inner.layers[0] if isinstance(inner, eqx.nn.Sequential) else inner.dropout


def test_every_sample_has_the_draw_of_its_own_key(network, inputs):
    model, state = network("dropping")
    keys = jax.random.split(jax.random.PRNGKey(3), 6)
    together, _ = logits_of(model, state, inputs, keys)
    alone = [innermost(model)(x, key=key) for x, key in zip(inputs, keys, strict=True)]
    assert_close(together, np.stack(alone))


@pytest.mark.parametrize("spec", [MlpModel(kind="mlp"), LenetModel(kind="lenet"), ResnetModel(kind="resnet", width=2)])
def test_our_own_models_take_no_key_and_raise_no_warning(spec):
    model, _ = make_network(spec, (1, 8, 8), 0)
    assert not takes_key(model)
    assert batch_axis(model) == "batch"
    assert model_warnings(model) == []


@pytest.mark.parametrize("mode", ["batch", "ema"])
def test_norms_train_under_any_name_of_their_axis_as_under_ours(network, inputs, mode):
    model, state = network("normed", mode=mode)
    ours, our_state = network("normed", names=["batch", "batch"], mode=mode)
    assert batch_axis(model) == "samples"
    assert isinstance(model, OnAxis)
    assert not isinstance(ours, OnAxis)
    keys = jax.random.split(jax.random.PRNGKey(0), 6)
    (logits, after), (our_logits, our_after) = (
        logits_of(*pair, inputs, keys) for pair in ((model, state), (ours, our_state))
    )
    assert np.array_equal(logits, our_logits)
    statistics = list(zip(*map(jax.tree.leaves, (after, our_after, state)), strict=True))
    assert all(np.array_equal(its, theirs) for its, theirs, _ in statistics)
    assert any(not np.array_equal(its, before) for its, _, before in statistics)


def test_the_axis_of_samples_is_told_from_one_of_the_models_own(network, inputs):
    model, state = network("over_tokens")
    assert batch_axis(model) == "samples"
    logits, _ = logits_of(model, state, inputs)
    flat = np.asarray(inputs).reshape(6, 2, 9)
    scaled = (flat - flat.mean((0, 2))[:, None]) / np.sqrt(flat.var((0, 2)) + model.model.norm.eps)[:, None]
    last = model.model.last
    expected = np.tanh(scaled).mean(2) @ np.asarray(last.weight)[0] + np.asarray(last.bias)
    assert_close(logits, expected)


@pytest.mark.parametrize(
    ("how", "places"),
    [("layer", ".parts[1] and .parts[2]"), ("array", ".parts[1].weight and .parts[2].weight"), ("", ""), ("tied", "")],
)
def test_parameters_in_two_places_are_warned_of(network, how, places):
    warnings = model_warnings(network("twice", how=how)[0])
    assert len(warnings) == bool(places)
    assert all(places in warning and "equinox.nn.Shared" in warning for warning in warnings)


def test_a_norm_without_initial_statistics_is_warned_of(network):
    [first, second] = model_warnings(network("normed", mode="ema")[0])
    assert first.startswith(".norms[0] is an equinox.nn.BatchNorm")
    assert second.startswith(".norms[1] is an equinox.nn.BatchNorm")
    assert model_warnings(network("normed")[0]) == []


def test_a_frozen_backbone_is_no_parameter(network, inputs):
    model, state = network("with_backbone")
    assert parameter_count(model) == 6
    hidden = np.tanh(np.asarray(jax.vmap(model.model.backbone.value)(inputs.reshape(6, -1))))
    assert_close(ntk_gram(freeze(model, state), inputs), hidden @ hidden.T + 1)
