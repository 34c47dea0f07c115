import dataclasses
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learners import network_learner
from tolerance import assert_close

from linstudy.models.layers import named_key
from linstudy.models.network import Stateless
from linstudy.spec.train import AdamOptimizer, SgdOptimizer, Train
from linstudy.tangent.freeze import freeze
from linstudy.tangent.linearize import linearize
from linstudy.tangent.parameters import merge, split
from linstudy.tasks.labelled import Labelled
from linstudy.train.checkpoint import to_arrays
from linstudy.train.fit import all_logits, batch_order, fit
from linstudy.train.group import Group
from linstudy.train.network import distances

SEED = 7


def trained(model, statistics, data, train, seed, **options):
    """The results of one training, alone."""
    learner = network_learner(model, statistics, data, train, seed)
    return (result for (result,) in fit([learner], train.epochs, **options))


def train_spec(epochs=3, batch_size=16, schedule="linear", **optimizer):
    return Train(
        epochs=epochs, batch_size=batch_size, schedule=schedule, optimizer=SgdOptimizer(kind="sgd", **optimizer)
    )


def snapshots(results):
    """Every result, with its state as arrays, since the next epoch takes the state itself."""
    return [(result, result.checkpoint()) for result in results]


def same_bits(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(one[name], other[name]) for name in one)


def sgd_update(weights, memory, gradient, count):
    momentum = memory.setdefault("momentum", np.zeros_like(weights))
    momentum[:] = 0.9 * momentum + gradient
    return momentum


def adam_update(weights, memory, gradient, count):
    first, second = memory.setdefault("moments", (np.zeros_like(weights), np.zeros_like(weights)))
    first[:] = 0.9 * first + 0.1 * gradient
    second[:] = 0.999 * second + 0.001 * gradient**2
    return (first / (1 - 0.9**count)) / (np.sqrt(second / (1 - 0.999**count)) + 1e-8)


def logistic_regression(weights, x, y, batches, rates, update):
    """The oracle: two loops over the batches of all epochs; the bias is the last weight."""
    x, memory, losses = np.column_stack([x, np.ones(len(x))]), {}, []
    for count, (chosen, rate) in enumerate(zip(batches, rates, strict=True), start=1):
        gradient, loss = np.zeros_like(weights), 0.0
        for i in chosen:
            margin = y[i] * (x[i] @ weights)
            loss += np.log1p(np.exp(-margin)) / len(chosen)
            gradient -= y[i] * x[i] / (1 + np.exp(margin)) / len(chosen)
        weights = weights - rate * update(weights, memory, gradient, count)
        losses.append(loss)
    return weights, losses


def all_batches(samples, train):
    batch = min(train.batch_size, samples)
    key, steps = named_key(SEED, "batches"), samples // batch
    orders = (batch_order(key, epoch, samples, steps, batch) for epoch in range(1, train.epochs + 1))
    return [np.asarray(chosen) for order in orders for chosen in order]


def weights_of(layer):
    return np.append(np.asarray(layer.weight), np.asarray(layer.bias))


OPTIMIZERS = {
    "sgd": (SgdOptimizer(kind="sgd", learning_rate=0.5), sgd_update),
    "adam": (AdamOptimizer(kind="adam", learning_rate=0.02), adam_update),
}


@pytest.mark.usefixtures("mixed_types")
@pytest.mark.parametrize(
    ("optimizer", "schedule", "batch_size"),
    [("sgd", "linear", 16), ("sgd", "constant", 128), ("adam", "linear", 16), ("adam", "constant", 16)],
)
def test_a_linear_model_is_trained_as_the_numpy_oracle_does(linear_network, labelled, optimizer, schedule, batch_size):
    data = labelled(train=50)
    spec, update = OPTIMIZERS[optimizer]
    train = Train(epochs=4, batch_size=batch_size, schedule=schedule, optimizer=spec)
    before = weights_of(linear_network.model)
    results = snapshots(trained(linear_network, None, data, train, SEED))
    batches = all_batches(50, train)
    steps = len(batches)
    assert steps == (12 if batch_size == 16 else 4), "an incomplete batch is dropped; a batch is at most the data"
    falling = 1 - np.arange(steps) / steps if schedule == "linear" else np.ones(steps)
    rates = spec.learning_rate * falling
    after, losses = logistic_regression(before, data.train_inputs, data.train_labels, batches, rates, update)
    result, arrays = results[-1]
    assert_close(np.append(arrays[".parameters.model.weight"], arrays[".parameters.model.bias"]), after)
    assert result.step == steps
    running = [result.running_loss for result, _ in results]
    assert running[0] is None
    assert_close(running[1:], np.mean(np.reshape(losses, (4, -1)), axis=1))
    assert_close(result.distance_l2, np.linalg.norm(after - before))
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert_close(result.distance_cosine, 1 - cosine)


def test_every_result_covers_all_samples_of_both_splits(linear_network, labelled):
    data = labelled(train=50, test=21)
    for result, arrays in snapshots(trained(linear_network, None, data, train_spec(), SEED)):
        weight, bias = arrays[".parameters.model.weight"][0], arrays[".parameters.model.bias"]
        for split_name in ("train", "test"):
            inputs, labels = getattr(data, f"{split_name}_inputs"), getattr(data, f"{split_name}_labels")
            margins = labels * (inputs @ weight + bias)
            assert_close(result.losses[split_name], np.mean(np.log1p(np.exp(-margins))))
            assert result.accuracies[split_name] == np.count_nonzero(margins > 0) / len(margins)


@pytest.mark.product_settings
@pytest.mark.parametrize("wrong", [0, 1])
def test_an_accuracy_in_float32_is_the_nearest_double_to_its_fraction(wrong):
    layer = eqx.nn.Linear(1, "scalar", False, key=jax.random.key(0))
    network = Stateless(eqx.tree_at(lambda one: one.weight, layer, jnp.zeros((1, 1), jnp.float32)))
    labels = np.ones(355, np.float32)
    labels[:wrong] = -1  # a logit of 0 counts as +1
    inputs = np.ones((355, 1), np.float32)
    data = Labelled(inputs, labels, inputs[:3], labels[-3:])
    [(result,)] = fit([network_learner(network, None, data, train_spec(epochs=0), SEED)], 0)
    assert result.accuracies == {"train": (355 - wrong) / 355, "test": 1.0}


def test_evaluation_uses_the_running_statistics(normed, labelled):
    network, state = normed
    data, train = labelled(), train_spec(epochs=1)
    learner = network_learner(network, state, data, train, SEED)
    for (result,) in fit([learner], train.epochs):
        after = learner.restore(result.checkpoint())
        frozen = freeze(merge(after.parameters, split(network)[1]), after.statistics)
        logits = np.asarray(jax.vmap(frozen)(jnp.asarray(data.test_inputs)))
        assert_close(result.losses["test"], np.mean(np.log1p(np.exp(-data.test_labels * logits))))
        assert_close(result.accuracies["test"], np.mean(np.where(logits >= 0, 1, -1) == data.test_labels))


@pytest.mark.parametrize("samples", range(1, 10))
@pytest.mark.parametrize("block", [1, 4, 256])
def test_evaluation_covers_every_sample_once_whatever_the_block(linear_network, labelled, samples, block):
    data = labelled(train=1, test=samples)
    learner = network_learner(linear_network, None, data, train_spec(), SEED, block=block)
    logits = all_logits(Group([learner]), learner.begin(), learner)
    weight, bias = linear_network.model.weight[0], linear_network.model.bias
    inputs = np.concatenate([data.train_inputs, data.test_inputs])
    assert_close(logits, inputs @ np.asarray(weight) + np.asarray(bias))


def test_no_epochs_measure_the_initialization_alone(linear_network, labelled):
    (result,) = trained(linear_network, None, labelled(), train_spec(epochs=0), SEED)
    assert (result.epoch, result.step, result.running_loss, result.fitted_at) == (0, 0, None, None)
    assert result.distance_l2 == 0
    assert 0 <= result.distance_cosine < 1e-30


def test_epochs_and_steps_are_counted_from_the_initialization(linear_network, labelled):
    results = list(trained(linear_network, None, labelled(train=50), train_spec(epochs=3, batch_size=16), SEED))
    assert [(result.epoch, result.step) for result in results] == [(0, 0), (1, 3), (2, 6), (3, 9)]


def test_the_distance_near_the_start_is_not_lost_to_float32():
    start = {"w": jnp.linspace(1.0, 2.0, 1000, dtype=jnp.float32)}
    direction = jnp.where(jnp.arange(1000) % 2 == 0, 1.0, -1.0).astype(jnp.float32)
    moved = {"w": start["w"] + jnp.float32(1e-4) * direction}
    a, b = np.asarray(start["w"], np.float64), np.asarray(moved["w"], np.float64)
    exact = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    _, cosine = distances(moved, start)
    # a change of 1e-4 holds a thousand roundings of float32, so three digits are left
    assert_close(cosine, exact, rtol=3e-3)
    assert exact < 1e-8


def test_linearized_training_of_a_linear_network_is_its_training(linear_network, labelled):
    data, train = labelled(), train_spec(learning_rate=0.5)
    linear = Stateless(linearize(freeze(linear_network, None)))
    for (network, arrays), (linearized, its) in zip(
        *(snapshots(trained(model, None, data, train, SEED)) for model in (linear_network, linear)), strict=True
    ):
        for split_name in ("train", "test"):
            assert_close(network.losses[split_name], linearized.losses[split_name])
        assert_close(network.distance_l2, linearized.distance_l2)
        for ours, theirs in zip(arrays.values(), its.values(), strict=True):
            assert_close(ours, theirs)


def test_a_centred_linearization_starts_at_the_loss_of_a_zero_output(mlp, labelled):
    centred = Stateless(linearize(freeze(mlp, None), centred=True))
    result = next(trained(centred, None, labelled(), train_spec(), SEED))
    assert_close(result.losses["train"], np.log(2))


def test_a_nonlinear_network_parts_from_its_linearization(mlp, labelled):
    data, train = labelled(), train_spec(learning_rate=0.5)
    linear = Stateless(linearize(freeze(mlp, None)))
    (*_, network), (*_, linearized) = (list(trained(model, None, data, train, SEED)) for model in (mlp, linear))
    assert abs(network.losses["train"] - linearized.losses["train"]) > 1e-3


def test_the_anchor_stays_bitwise_equal(normed, labelled):
    linear = Stateless(linearize(freeze(*normed)))
    before = to_arrays(eqx.filter(linear.model.anchor, eqx.is_array))
    learner = network_learner(linear, None, labelled(), train_spec(), SEED)
    for (result,) in fit([learner], 3):
        after = merge(learner.restore(result.checkpoint()).parameters, split(linear)[1])
        assert same_bits(to_arrays(eqx.filter(after.model.anchor, eqx.is_array)), before)
    assert result.distance_l2 > 1e-3
    assert same_bits(to_arrays(eqx.filter(linear.model.anchor, eqx.is_array)), before)


def test_the_given_model_is_left_alone(normed, labelled):
    network, state = normed
    before = to_arrays(eqx.filter((network, state), eqx.is_array))
    for _ in trained(network, state, labelled(), train_spec(), SEED):
        pass
    assert same_bits(to_arrays(eqx.filter((network, state), eqx.is_array)), before)


@pytest.mark.parametrize(("rate", "fits"), [(20.0, True), (1e-3, False)])
def test_steps_to_fit_equals_the_oracle(linear_network, labelled, rate, fits):
    data = labelled(train=40)
    train = train_spec(epochs=12, batch_size=8, learning_rate=rate)
    fitted = [result.fitted_at for result in trained(linear_network, None, data, train, SEED)]
    batches = all_batches(40, train)
    rates = rate * (1 - np.arange(len(batches)) / len(batches))
    start = weights_of(linear_network.model)
    _, losses = logistic_regression(start, data.train_inputs, data.train_labels, batches, rates, sgd_update)
    first = next((step for step, loss in enumerate(losses, start=1) if loss <= 0.01), None)
    assert (first is not None) == fits
    assert fitted == [first if first is not None and first <= epoch * 5 else None for epoch in range(13)]


@pytest.mark.usefixtures("mixed_types")
@pytest.mark.parametrize(
    ("kind", "optimizer"), [("normed", "sgd"), ("normed", "adam"), ("mlp", "sgd"), ("linearized", "sgd")]
)
def test_a_resumed_training_has_the_bits_of_an_uninterrupted_one(request, labelled, kind, optimizer):
    model, statistics = request.getfixturevalue("normed")
    if kind == "mlp":
        model, statistics = request.getfixturevalue("mlp"), None
    if kind == "linearized":
        model, statistics = Stateless(linearize(freeze(model, statistics))), None
    data = labelled()
    train = Train(epochs=4, batch_size=16, optimizer=OPTIMIZERS[optimizer][0])
    whole = snapshots(trained(model, statistics, data, train, SEED))
    resumed = snapshots(trained(model, statistics, data, train, SEED, resume=(2, [whole[2][1]])))
    assert [result.epoch for result, _ in resumed] == [3, 4]
    for (result, arrays), (whole_result, whole_arrays) in zip(resumed, whole[3:], strict=True):
        assert result == whole_result
        assert same_bits(arrays, whole_arrays)


def test_a_stored_state_is_not_touched_by_later_epochs(mlp, labelled):
    results = trained(mlp, None, labelled(), train_spec(), SEED)
    next(results)
    stored = next(results).checkpoint()
    copies = {name: array.copy() for name, array in stored.items()}
    list(results)
    assert same_bits(stored, copies)


def test_an_epoch_is_the_same_in_one_compiled_loop(mlp, normed, labelled, monkeypatch):
    data, train = labelled(), train_spec()
    models = ((mlp, None), normed)
    stepwise = [snapshots(trained(*model, data, train, SEED))[-1] for model in models]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    looped = [snapshots(trained(*model, data, train, SEED))[-1] for model in models]
    for (one, one_arrays), (other, other_arrays) in zip(stepwise, looped, strict=True):
        assert one.step == other.step
        assert_close(one.running_loss, other.running_loss)
        for name in one_arrays:
            assert_close(one_arrays[name], other_arrays[name])


def test_a_diverging_training_ends_after_the_first_loss_that_is_not_finite(mlp, labelled):
    train = train_spec(epochs=50, schedule="constant", learning_rate=1e200)
    results = list(trained(mlp, None, labelled(), train, SEED))
    assert [result.finite for result in results] == [True] * (len(results) - 1) + [False]
    assert len(results) < 51


def test_infinite_inputs_end_at_the_initialization(linear_network, labelled):
    data = dataclasses.replace(labelled(), test_inputs=np.full((3, 4), np.inf), test_labels=np.ones(3))
    (result,) = trained(linear_network, None, data, train_spec(), SEED)
    assert not result.finite


def test_every_batch_order_is_a_permutation_of_its_epoch_and_seed():
    orders = [
        np.asarray(batch_order(named_key(seed, "batches"), epoch, 30, 3, 10)).ravel()
        for seed, epoch in itertools.product((0, 1), (1, 2))
    ]
    assert all(sorted(order) == list(range(30)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_the_batch_order_depends_on_neither_precision_nor_batch_size():
    with jax.enable_x64(False):
        single = np.asarray(batch_order(named_key(0, "batches"), 1, 30, 3, 10)).ravel()
    assert np.array_equal(single, np.asarray(batch_order(named_key(0, "batches"), 1, 30, 3, 10)).ravel())
    assert np.array_equal(single[:28], np.asarray(batch_order(named_key(0, "batches"), 1, 30, 4, 7)).ravel())


def test_the_training_depends_on_its_seed(linear_network, labelled):
    losses = [
        list(trained(linear_network, None, labelled(), train_spec(), seed))[-1].losses["train"] for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]
