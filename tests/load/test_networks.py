"""Loaded networks against what was stored of them, and against dense automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from linstudy.load.kinds import KINDS
from linstudy.models.layers import BATCH_AXIS
from linstudy.runs.job import Job
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import SpectrumRun
from linstudy.tangent import freeze, merge, split

pytestmark = pytest.mark.product_settings

NETWORK = "model_kind = 'mlp' AND train_linearize IS NULL"
LINEAR = "train_linearize IS NOT NULL AND train_linearize_at_epoch IS NULL"
ANCHORED = "train_linearize_at_epoch = 2"
NORMED = "model_kind = 'import' AND data_kind = 'npz'"
ALONG_NAD = "task_kind = 'nad'"


def one(ws, condition, kind="training"):
    [run] = ws.runs(f"kind = '{kind}' AND {condition}")
    return run


def logits(network, inputs):
    return np.asarray(jax.jit(jax.vmap(network))(jnp.asarray(inputs)))


def stored(run, name, split, epoch):
    rows = run.metrics.filter(f"name = '{name}' AND split = '{split}' AND epoch = {epoch}").select("value").fetchall()
    [(value,)] = rows
    return value


def check_numbers(run):
    """That the network of each epoch gives the loss and the accuracy that were stored, and no other epoch's."""
    data, losses = run.data(), set()
    train = len(data.train_labels)
    for epoch in run.epochs:
        found = logits(run.network(epoch), data.inputs).astype(float)
        for name, own in (("train", slice(None, train)), ("test", slice(train, None))):
            loss = np.mean(np.log1p(np.exp(-data.labels[own] * found[own])))
            np.testing.assert_allclose(loss, stored(run, "loss", name, epoch), rtol=1e-5)
            assert np.mean((found[own] >= 0) == (data.labels[own] > 0)) == stored(run, "accuracy", name, epoch)
            losses.add(loss)
    assert len(losses) >= 2 * len(run.epochs) - 1 > 2  # a centred one starts at log 2 on both splits


@pytest.mark.parametrize("condition", [NETWORK, LINEAR, ANCHORED, NORMED])
def test_the_network_of_each_epoch_gives_the_stored_numbers_on_the_data(ws, condition):
    check_numbers(one(ws, condition))


def test_a_run_of_float64_comes_in_float64_or_not_at_all(ws):
    run = one(ws, ALONG_NAD)
    with pytest.raises(LinstudyError, match=r'training .*: it computed in float64.*"jax_enable_x64", True'):
        run.network()
    with jax.enable_x64(True):
        check_numbers(run)
        assert {leaf.dtype for leaf in jax.tree.leaves(split(run.network())[0])} == {np.dtype(float)}
    assert {run.data().train_inputs.dtype, run.data().test_labels.dtype} == {np.dtype(float)}


def test_a_run_of_float32_comes_in_float32_also_beside_float64(ws):
    with jax.enable_x64(True):
        network = one(ws, NETWORK).network(0)
    assert {leaf.dtype for leaf in jax.tree.leaves(split(network)[0])} == {np.dtype(np.float32)}


def test_no_epoch_is_the_last_one_and_a_probes_network_is_its_trainings(ws):
    run, probe = one(ws, NETWORK), one(ws, NETWORK, "probe")
    assert run.epochs == probe.epochs == (0, 2, 3)
    x = jnp.asarray(run.data().inputs[0])
    assert probe.network()(x) == run.network(3)(x) == run.network()(x) != run.network(2)(x)
    np.testing.assert_array_equal(probe.data().labels, run.data().labels)


def test_the_initialization_of_a_spectrum_is_that_of_its_training(ws):
    x = jnp.asarray(one(ws, NETWORK).data().inputs[0])
    spectrum = one(ws, "model_kind = 'mlp'", "spectrum")
    assert spectrum.epochs == (0,)
    assert spectrum.network()(x) == one(ws, NETWORK).network(0)(x)


def test_a_network_can_be_trained_on_with_its_statistics(ws):
    run = one(ws, NORMED)
    (model, state), frozen = run.stateful_network(), run.network()
    inputs = jnp.asarray(run.data().train_inputs)
    train = jax.vmap(model, in_axes=(0, None), out_axes=(0, None), axis_name=BATCH_AXIS)
    _, later = jax.jit(train)(inputs, state)
    assert logits(freeze(model, later), inputs)[0] != frozen(inputs[0])
    # frozen: a sample's logit is that of the batch, and what ran since then changed nothing
    np.testing.assert_allclose(logits(frozen, inputs)[0], frozen(inputs[0]), rtol=1e-6)
    np.testing.assert_array_equal(logits(freeze(model, state), inputs), logits(frozen, inputs))


def dense(network):
    """Flat θ0, and the logit of one input as a function of flat parameters."""
    parameters, static = split(network)
    flat, unravel = ravel_pytree(parameters)
    return flat, lambda at, x: merge(unravel(at), static)(x)


def features(call, start, inputs):
    """∇θ f of each input, dense."""
    return np.asarray(jax.jit(jax.vmap(jax.jacrev(call), (None, 0)))(start, jnp.asarray(inputs)), float)


def moved(linear, step):
    """A linearization with parameters that are a step away from where they are."""
    parameters, static = split(linear)
    flat, unravel = ravel_pytree(parameters)
    return merge(unravel(flat + step), static)


@pytest.mark.parametrize(
    ("condition", "at", "centred"), [(NETWORK, None, False), (NETWORK, 2, True), (NORMED, 3, False)]
)
def test_a_linearization_is_value_and_dense_derivative_at_its_anchor(ws, condition, at, centred):
    run, inputs = one(ws, condition), one(ws, condition).data().test_inputs
    network, linear = run.network(at or 0), run.linearization(at, centred=centred)
    start, call = dense(network)
    step = 0.1 * jax.random.normal(jax.random.key(1), start.shape)
    value = 0 if centred else logits(network, inputs)
    expected = value + features(call, start, inputs) @ np.asarray(step)
    np.testing.assert_allclose(logits(moved(linear, step), inputs), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits(linear, inputs), np.broadcast_to(value, len(inputs)), rtol=1e-5, atol=1e-6)
    assert np.abs(expected - value).max() > 0.1


@pytest.mark.parametrize(("condition", "anchor", "centred"), [(LINEAR, 0, False), (ANCHORED, 2, True)])
def test_a_trained_linearization_is_that_of_the_network_at_its_anchor(ws, condition, anchor, centred):
    """Its oracle is another run: the network's training, whose checkpoint or initialization is the anchor."""
    run, network = one(ws, condition), one(ws, NETWORK).network(anchor)
    inputs, (start, call) = run.data().test_inputs, dense(network)
    step = np.asarray(ravel_pytree(split(run.network())[0])[0] - start)
    value = np.zeros(len(inputs)) if centred else logits(network, inputs)
    expected = value + features(call, start, inputs) @ step
    np.testing.assert_allclose(logits(run.linearization(), inputs), value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logits(run.network(), inputs), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(expected - value).max() > 0.01


@pytest.mark.parametrize("options", [{"at": 3}, {"centred": True}])
def test_a_run_that_trained_a_linearization_has_no_other(ws, options):
    with pytest.raises(LinstudyError, match=r"training .*: it trained a linearization, which has an anchor of its own"):
        one(ws, LINEAR).linearization(**options)


def test_an_epoch_that_is_not_stored_is_told_with_those_that_are(ws):
    with pytest.raises(LinstudyError) as caught:
        one(ws, NETWORK).network(1)
    assert "its network after epoch 1 is not stored (the run is done). Epochs that are: 0, 2, 3." in str(caught.value)
    assert f"linstudy run small --workspace {ws.root}" in str(caught.value)


def test_a_spectrum_diagonalizes_the_dense_gram_of_the_data(ws):
    run = one(ws, NETWORK)
    found, data = run.spectrum(), run.data()
    start, call = dense(run.network(0))
    turned = found.eigenvectors @ features(call, start, data.inputs)
    turned = turned @ turned.T
    assert len(found.eigenvalues) == len(data.inputs) == 72
    np.testing.assert_allclose(turned, np.diag(found.eigenvalues), atol=1e-4 * found.eigenvalues[0])
    np.testing.assert_array_equal(np.where(found.eigenvectors[2] >= 0, 1, -1), data.labels)
    for other in (one(ws, "model_kind = 'mlp'", "spectrum"), one(ws, NETWORK, "probe")):
        np.testing.assert_array_equal(other.spectrum().eigenvectors, found.eigenvectors)


def test_the_order_of_a_spectrum_names_the_samples_of_the_file(ws, run_study):
    run = one(ws, NETWORK)
    order, file = run.spectrum().order, np.load(run_study.folder / "samples.npz", allow_pickle=False)
    assert list(order.split) == ["train"] * 48 + ["test"] * 24
    raw = np.stack([file[f"x_{split}"][index] for split, index in zip(*order, strict=True)])
    train = raw[:48]
    np.testing.assert_allclose(run.data().inputs[:, 0], (raw - train.mean()) / train.std(), rtol=1e-5, atol=1e-5)
    classes = np.array([file[f"y_{split}"][index] for split, index in zip(*order, strict=True)])
    spectrum = one(ws, "model_kind = 'mlp'", "spectrum")
    np.testing.assert_array_equal(spectrum.data().labels, classes)


def test_nads_are_the_singular_vectors_of_the_dense_mixed_derivative(ws):
    run = one(ws, ALONG_NAD)
    found = run.nads()
    with jax.enable_x64(True):
        start, call = dense(one(ws, "model_kind = 'import'", "nads").network())
        derivative = jax.jit(jax.jacfwd(jax.jacrev(call), argnums=1))
        mixed = derivative(start, jnp.zeros((1, 3, 3))).reshape(len(start), 9)
        _, singular_values, directions = np.linalg.svd(np.asarray(mixed))
    np.testing.assert_allclose(found.singular_values, singular_values[:9], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(abs(directions[0] @ found.directions[0]), 1)
    with pytest.raises(LinstudyError, match=r"nads .*: it saw no data"):
        one(ws, "model_kind = 'import'", "nads").data()
    with pytest.raises(LinstudyError, match=r"training .*: it is no run nads, and needs none"):
        one(ws, NETWORK).nads()


def test_a_spectrum_of_infinitely_wide_networks_has_no_network():
    parts = {"data": {"kind": "digits"}, "model": {"kind": "mlp"}, "spectrum": {"kernel": "infinite_width"}}
    spec = SpectrumRun.model_validate({"kind": "spectrum", **parts, "seed": None})
    with pytest.raises(LinstudyError, match="it has no network: its kernel is that of infinitely wide ones"):
        KINDS["spectrum"].start(Job(spec), spec)
