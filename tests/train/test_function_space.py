"""Linearizations trained through their Gram, against training through their parameters."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learners import curves, flat_parts, inputs_of, network_learner, span_learner
from tolerance import assert_close

from linstudy.models.network import Stateless
from linstudy.spec.train import SgdOptimizer, Train
from linstudy.tangent import freeze, linearize, merge, split
from linstudy.train.checkpoint import in_span, ordinary
from linstudy.train.fit import all_logits, fit
from linstudy.train.function_space import Position, make_span
from linstudy.train.group import Group
from linstudy.train.network import distances

SEED = 3


def train_spec(epochs=3, schedule="linear", batch_size=16, **optimizer):
    return Train(
        epochs=epochs, batch_size=batch_size, schedule=schedule, optimizer=SgdOptimizer(kind="sgd", **optimizer)
    )


@pytest.fixture
def anchors(mlp, normed, labelled):
    """Functions of one input to linearize: at initialization, and with the statistics of a trained network."""
    learner = network_learner(*normed, labelled(), train_spec(), SEED)
    *_, (last,) = fit([learner], 3)
    state = learner.restore(last.checkpoint())
    trained = freeze(merge(state.parameters, learner.static), state.statistics)
    return {"init": freeze(mlp, None), "trained": trained}


def histories(learners, epochs, **options):
    """For each learner its results, with their checkpoints."""
    rows = [[(one, one.checkpoint()) for one in row] for row in fit(learners, epochs, **options)]
    return list(zip(*rows, strict=True))


def assert_same(one, other):
    """The same trajectory: every curve, and the ordinary arrays of each checkpoint."""
    assert [result.step for result, _ in one] == [result.step for result, _ in other]
    assert [result.fitted_at for result, _ in one] == [result.fitted_at for result, _ in other]
    for ours, theirs in zip(curves(one), curves(other), strict=True):
        assert_close(ours, theirs)
    for (_, arrays), (_, its) in zip(one, other, strict=True):
        assert ordinary(arrays).keys() == its.keys()
        for ours, theirs in zip(flat_parts(ordinary(arrays)), flat_parts(its), strict=True):
            assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("anchor", "centred", "schedule", "momentum", "batch_size"),
    [
        ("init", False, "linear", 0.9, 16),
        ("init", True, "one_cycle", 0.9, 128),
        ("trained", False, "constant", 0.0, 16),
        ("trained", True, "linear", 0.9, 7),
    ],
)
@pytest.mark.usefixtures("mixed_types")
def test_the_trajectory_is_that_of_the_parameters(anchors, labelled, anchor, centred, schedule, momentum, batch_size):
    data = labelled(train=50, test=21)
    train = train_spec(schedule=schedule, momentum=momentum, batch_size=batch_size, learning_rate=0.5)
    linear = Stateless(linearize(anchors[anchor], centred=centred))
    [spanned] = histories([span_learner(linear, data, train, SEED)], 3)
    [oracle] = histories([network_learner(linear, None, data, train, SEED)], 3)
    assert oracle[-1][0].distance_cosine > 1e-4  # it has moved
    assert_same(spanned, oracle)


def test_logits_are_those_of_the_parameters(anchors, labelled):
    data = labelled(train=50, test=21)
    linear = Stateless(linearize(anchors["init"]))
    learner = span_learner(linear, data, train_spec(learning_rate=0.5), SEED)
    *_, (last,) = fit([learner], 3)
    after = network_learner(linear, None, data, train_spec(), SEED).restore(last.checkpoint())
    model = merge(after.parameters, split(linear)[1])
    dense = jax.vmap(lambda x: model(x, None)[0])(inputs_of(data))
    assert_close(all_logits(Group([learner]), learner.restore(last.checkpoint()), learner), dense)


def several(labelled, count=3):
    """Labellings of the same inputs."""
    data, generator = labelled(train=50, test=21), np.random.default_rng(1)
    flips = [np.where(generator.random(71) < 0.5, -1.0, 1.0) for _ in range(count)]
    return [dataclasses.replace(data, train_labels=flip[:50], test_labels=flip[50:]) for flip in flips]


def test_tasks_and_learning_rates_are_columns(anchors, labelled):
    linear = Stateless(linearize(anchors["init"]))
    span = make_span(anchors["init"], inputs_of(labelled(train=50, test=21)), 50)
    settings = list(zip(several(labelled), (0.5, 0.05, 2.0), strict=True))
    trains = [train_spec(learning_rate=rate) for _, rate in settings]
    pairs = [(data, train) for (data, _), train in zip(settings, trains, strict=True)]
    together = histories([span_learner(linear, *pair, SEED, span) for pair in pairs], 3)
    for column, pair in zip(together, pairs, strict=True):
        [oracle] = histories([network_learner(linear, None, *pair, SEED)], 3)
        assert_same(column, oracle)


def test_another_gram_gives_another_trajectory(anchors, labelled):
    """The comparison above can fail."""
    data, train = labelled(), train_spec(learning_rate=0.5)
    linear = Stateless(linearize(anchors["init"]))
    learner = span_learner(linear, data, train, SEED)
    wrong = eqx.tree_at(lambda one: one.span.gram, learner, replace_fn=lambda gram: 1.001 * gram)
    [spanned], [oracle] = histories([wrong], 3), histories([network_learner(linear, None, data, train, SEED)], 3)
    with pytest.raises(AssertionError):
        assert_same(spanned, oracle)


@pytest.mark.parametrize("columns", [1, 3])
def test_a_resumed_training_has_the_bits_of_an_uninterrupted_one(anchors, labelled, columns):
    linear = Stateless(linearize(anchors["init"]))
    span = make_span(anchors["init"], inputs_of(labelled(train=50, test=21)), 50)
    train = train_spec(epochs=4)
    learners = [span_learner(linear, data, train, SEED, span) for data in several(labelled, columns)]
    whole = histories(learners, 4)
    resumed = histories(learners, 4, resume=(2, [history[2][1] for history in whole]))
    for one, other in zip(resumed, whole, strict=True):
        assert [result for result, _ in one] == [result for result, _ in other[3:]]
        for (_, arrays), (_, its) in zip(one, other[3:], strict=True):
            assert in_span(arrays).keys() == in_span(its).keys() != set()
            assert all(np.array_equal(arrays[name], its[name]) for name in its)


def test_the_parameters_take_over_from_a_checkpoint_in_function_space(anchors, labelled):
    data, train = labelled(), train_spec(epochs=4)
    linear = Stateless(linearize(anchors["init"]))
    network = network_learner(linear, None, data, train, SEED)
    [spanned] = histories([span_learner(linear, data, train, SEED)], 4)
    [resumed] = histories([network], 4, resume=(2, [spanned[2][1]]))
    assert_same(spanned[3:], resumed)


def test_the_sum_of_features_does_not_depend_on_the_block(anchors, labelled, monkeypatch):
    span = make_span(anchors["init"], inputs_of(labelled(train=50)), 50)
    weights = np.random.default_rng(0).standard_normal((2, 50))
    whole = span.combined(weights)
    monkeypatch.setattr("linstudy.train.function_space.SAMPLES_AT_ONCE", 16)
    for leaf, its in zip(jax.tree.leaves(span.combined(weights)), jax.tree.leaves(whole), strict=True):
        assert_close(leaf, its)


@pytest.mark.parametrize("size", [1e-4, 1.0, 30.0])
def test_distances_are_those_of_the_parameters_near_and_far_from_the_start(anchors, labelled, size):
    """In float32 too, where 1 − cos near the start would be lost."""
    data = labelled(train=50, test=21)
    linear = Stateless(linearize(anchors["init"], centred=True))
    exact = span_learner(linear, data, train_spec(), SEED)
    coefficients = size * jnp.asarray(np.random.default_rng(0).standard_normal(50)) / 50
    position = Position(coefficients, coefficients @ exact.span.gram)
    state = eqx.tree_at(lambda one: one.parameters, exact.begin(), position)
    start, _ = split(anchors["init"])
    change = jax.tree.map(lambda leaf: leaf[0], exact.span.combined(np.asarray(coefficients)[None]))
    oracle = distances(jax.tree.map(jnp.add, start, change), start)
    assert_close(jnp.stack(exact.distances(state)), jnp.stack(oracle))
    single, its = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf, (exact, state)
    )
    found = jnp.stack(single.distances(its))
    assert_close(found / jnp.stack(oracle).astype(jnp.float32), np.ones(2), rtol=1e-4)  # of each, however small


def test_a_diverging_column_leaves_the_others(anchors, labelled):
    linear = Stateless(linearize(anchors["init"]))
    span = make_span(anchors["init"], inputs_of(labelled(train=50, test=21)), 50)
    rates = (0.5, 1e308)
    trains = [train_spec(epochs=6, schedule="constant", learning_rate=rate) for rate in rates]
    learners = [span_learner(linear, labelled(train=50, test=21), train, SEED, span) for train in trains]
    fine, wild = zip(*fit(learners, 6), strict=True)
    ends = [result.finite for result in wild if result is not None]
    assert ends == [True] * (len(ends) - 1) + [False]
    assert wild[-1] is None
    [alone] = zip(*fit(learners[:1], 6), strict=True)
    for result, its in zip(fine, alone, strict=True):
        assert_close(result.losses["train"], its.losses["train"])


def test_progress_rises_to_one(anchors, labelled):
    told = []
    make_span(anchors["init"], inputs_of(labelled(train=50, test=21)), 50, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
