"""Networks trained as one program, against each of them alone."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learners import curves, flat_parts, inputs_of
from tolerance import assert_close

from linstudy.models.layers import linear
from linstudy.models.network import Stateless
from linstudy.spec.train import AdamOptimizer, SgdOptimizer, Train
from linstudy.tangent import freeze, linearize
from linstudy.train.fit import fit
from linstudy.train.group import Group, can_group, own_bytes
from linstudy.train.learner import Course
from linstudy.train.network import NetworkLearner

COUNT = 3


def make_mlp(key):
    first, second = jax.random.split(key)
    layers = [linear(4, 8, first), eqx.nn.Lambda(jax.nn.relu), linear(8, "scalar", second)]
    return Stateless(eqx.nn.Sequential(layers)), None


@pytest.fixture
def networks(getkey, request):
    """A function that makes networks of a kind that differ in their initialization."""

    def make(kind):
        if kind == "normed":
            make_normed = eqx.nn.make_with_state(type(request.getfixturevalue("normed")[0]))
            return [make_normed(4, getkey()) for _ in range(COUNT)]
        made = [make_mlp(getkey()) for _ in range(COUNT)]
        return [(Stateless(linearize(freeze(*pair))), None) for pair in made] if kind == "linearized" else made

    return make


def learners_of(models, labelled, optimizer="sgd", seeds=range(COUNT), rates=(0.5, 0.05, 0.2), epochs=3):
    """Of one data set, with labels, seeds and learning rates of their own."""
    data, generator = labelled(train=50, test=21), np.random.default_rng(1)
    inputs = inputs_of(data)
    spec = {"sgd": SgdOptimizer(kind="sgd"), "adam": AdamOptimizer(kind="adam")}[optimizer]
    learners = []
    for (model, statistics), seed, rate in zip(models, seeds, rates, strict=True):
        labels = np.where(generator.random(71) < 0.5, -1.0, 1.0)
        own = dataclasses.replace(data, train_labels=labels[:50], test_labels=labels[50:])
        train = Train(epochs=epochs, batch_size=16, optimizer=spec.model_copy(update={"learning_rate": rate}))
        learners.append(NetworkLearner(model, statistics, inputs, Course(own, train, seed), block=32))
    return learners


def histories(learners, epochs=3, **options):
    rows = [[(one, one.checkpoint()) for one in row] for row in fit(learners, epochs, **options)]
    return list(zip(*rows, strict=True))


def assert_same(one, other):
    """To the rounding of a few operations."""
    for name in ("epoch", "step", "fitted_at"):
        assert [getattr(result, name) for result, _ in one] == [getattr(result, name) for result, _ in other]
    for ours, theirs in zip(curves(one), curves(other), strict=True):
        assert_close(ours, theirs, rtol=1e-12)
    for (_, arrays), (_, its) in zip(one, other, strict=True):
        assert arrays.keys() == its.keys()
        assert all(arrays[name].dtype == its[name].dtype for name in its)
        for ours, theirs in zip(flat_parts(arrays), flat_parts(its), strict=True):
            assert_close(ours, theirs, rtol=1e-12)


@pytest.mark.usefixtures("mixed_types")
@pytest.mark.parametrize(
    ("kind", "optimizer", "seeds"),
    [
        ("mlp", "sgd", (0, 1, 2)),
        ("mlp", "adam", (5, 5, 5)),
        ("normed", "sgd", (0, 1, 2)),
        ("linearized", "sgd", (0, 0, 1)),
    ],
)
def test_each_has_the_numbers_that_it_has_alone(networks, labelled, kind, optimizer, seeds):
    learners = learners_of(networks(kind), labelled, optimizer, seeds)
    stacked = histories(learners)
    for history, learner in zip(stacked, learners, strict=True):
        assert_same(history, histories([learner])[0])


def test_their_numbers_differ(networks, labelled):
    """The comparison above can fail."""
    first, second, _ = histories(learners_of(networks("mlp"), labelled))
    with pytest.raises(AssertionError):
        assert_same(first, second)


def test_a_stacked_training_goes_on_from_checkpoints_made_alone(networks, labelled):
    learners = learners_of(networks("normed"), labelled)
    alone = [histories([learner])[0] for learner in learners]
    resumed = histories(learners, resume=(1, [history[1][1] for history in alone]))
    for one, other in zip(resumed, alone, strict=True):
        assert [result.epoch for result, _ in one] == [2, 3]
        assert_same(one, other[2:])


def test_an_epoch_is_the_same_in_one_compiled_loop(networks, labelled, monkeypatch):
    learners = learners_of(networks("mlp"), labelled)
    stepwise = histories(learners)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for one, other in zip(histories(learners), stepwise, strict=True):
        assert_same(one, other)


def test_one_that_diverges_ends_and_the_others_go_on(networks, labelled):
    learners = learners_of(networks("mlp"), labelled, rates=(0.5, 1e200, 0.2), epochs=5)
    fine, wild, _ = zip(*fit(learners, 5), strict=True)
    last = next(result for result in wild if result is not None and not result.finite)
    assert wild[last.epoch + 1 :] == (None,) * (5 - last.epoch) != ()
    [alone] = zip(*fit(learners[:1], 5), strict=True)
    for result, its in zip(fine, alone, strict=True):
        assert_close(result.losses["test"], its.losses["test"])


def test_the_loop_ends_when_none_is_left(networks, labelled):
    rows = list(fit(learners_of(networks("mlp"), labelled, rates=(1e200,) * COUNT, epochs=50), 50))
    assert len(rows) < 51


def test_what_all_share_is_held_once(networks, labelled):
    group = Group(learners_of(networks("mlp"), labelled))
    assert group.own.inputs is None
    assert group.shared.inputs.shape == (71, 4)
    assert group.own.course.labels.shape == (COUNT, 71)
    assert group.shared.course.labels is None


def test_inputs_of_their_own_are_stacked(networks, labelled):
    learners = learners_of(networks("mlp"), labelled)
    moved = [eqx.tree_at(lambda one: one.inputs, one, one.inputs + shift) for shift, one in enumerate(learners)]
    stacked = histories(moved)
    for history, learner in zip(stacked, moved, strict=True):
        assert_same(history, histories([learner])[0])
    assert own_bytes(moved[1], moved[0]) - own_bytes(learners[1], learners[0]) == 71 * 4 * 8


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (lambda tree: tree.inputs, jnp.zeros((71, 5))),
        (lambda tree: tree.start.model.layers[0].weight, jnp.zeros((9, 4))),
        (lambda tree: tree.course.labels, jnp.zeros(71, int)),
        (lambda tree: tree.static.model.layers[1].fn, jax.nn.gelu),
        (lambda tree: tree.course, None),
    ],
)
def test_learners_that_differ_in_more_than_values_are_not_alike(networks, labelled, part, value):
    first, second, _ = learners_of(networks("mlp"), labelled)
    assert can_group(first, second)
    assert not can_group(first, eqx.tree_at(part, second, value))
