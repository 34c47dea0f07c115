"""Whether to stack, decided by a measurement."""

import jax
import pytest
from learners import network_learner

from linstudy.resources import Cache
from linstudy.spec.train import SgdOptimizer, Train
from linstudy.train import choice
from linstudy.train.choice import stacking_pays


@pytest.fixture
def learners(mlp, labelled):
    train = Train(epochs=100, batch_size=16, optimizer=SgdOptimizer(kind="sgd"))
    return [network_learner(mlp, None, labelled(), train, seed) for seed in range(4)]


@pytest.fixture
def cache():
    return Cache()


@pytest.mark.parametrize(("two", "four", "pays"), [(1.5, 3.9, True), (2.9, 4.1, False), (3.1, 0.0, False)])
def test_the_faster_way_is_taken_and_measured_once(learners, cache, monkeypatch, two, four, pays):
    asked, seconds = [], {1: 1.0, 2: two, 3: 9.0, 4: four}

    def timed(some):
        asked.append(len(some))
        return seconds[len(some)]

    monkeypatch.setattr(choice, "_epoch_seconds", timed)
    assert [stacking_pays(learners, 100, cache) for _ in range(2)] == [pays, pays]
    assert asked == ([1, 2, 4] if two < 3 else [1, 2])
    assert not stacking_pays(learners[:3], 200, cache)
    assert asked[-3:] == [1, 2, 3] or two > 3


def test_a_real_measurement_leaves_the_learners_as_they_are(learners, cache):
    before = jax.tree.leaves(learners[0].start)[0] + 0
    assert stacking_pays(learners, 100, cache) in (True, False)
    assert (jax.tree.leaves(learners[0].start)[0] == before).all()


def test_short_trainings_are_not_worth_measuring(learners, monkeypatch):
    monkeypatch.setattr(choice, "_epoch_seconds", lambda some: pytest.fail("measured"))
    assert not stacking_pays(learners, 3, Cache())


def test_accelerators_always_stack_and_one_is_one(learners, cache, monkeypatch):
    monkeypatch.setattr(choice, "_epoch_seconds", lambda some: pytest.fail("measured"))
    assert stacking_pays(learners[:1], 100, Cache())
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert stacking_pays(learners, 100, cache)
