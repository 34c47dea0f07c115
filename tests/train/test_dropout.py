"""What a model draws in training depends on seed, step and sample, and on nothing else."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learners import network_learner
from tolerance import assert_close

from linstudy.models.layers import linear, named_key
from linstudy.models.network import Stateless
from linstudy.spec.train import SgdOptimizer, Train
from linstudy.train.fit import batch_order, fit

RATE, EPOCHS, BATCH = 0.25, 3, 16
TRAIN = Train(
    epochs=EPOCHS,
    batch_size=BATCH,
    schedule="constant",
    optimizer=SgdOptimizer(kind="sgd", learning_rate=0.5, momentum=0.0),
)


@pytest.fixture
def dropping():
    """A function that gives a linear model of its inputs with dropout, the same at each call."""
    return lambda: Stateless(eqx.nn.Sequential([eqx.nn.Dropout(RATE), linear(4, "scalar", jax.random.PRNGKey(0))]))


def learner_of(model, data, seed):
    return network_learner(model, None, data, TRAIN, seed)


def rows(learners, **options):
    return [[(one, one.checkpoint()) for one in row] for row in fit(learners, EPOCHS, **options)]


def oracle(model, data, seed):
    """Logistic regression by two loops, each input dropped by the draw of its step and sample."""
    last = model.model.layers[1]
    weights, x = np.append(last.weight, last.bias), np.column_stack([data.train_inputs, np.ones(50)])
    step = 0
    for epoch in range(1, EPOCHS + 1):
        for chosen in np.asarray(batch_order(named_key(seed, "batches"), epoch, 50, 50 // BATCH, BATCH)):
            gradient = np.zeros(5)
            for sample in chosen:
                key = jax.random.fold_in(jax.random.fold_in(named_key(seed, "noise"), step), sample)
                first, _ = jax.random.split(key)
                kept = np.append(np.asarray(jax.random.bernoulli(first, 1 - RATE, (4,))) / (1 - RATE), 1.0)
                row, label = x[sample] * kept, data.train_labels[sample]
                gradient -= label * row / (1 + np.exp(label * (row @ weights))) / BATCH
            weights, step = weights - 0.5 * gradient, step + 1
    return weights


def weights_of(arrays):
    return np.append(*(arrays[f".parameters.model.layers[1].{name}"] for name in ("weight", "bias")))


def test_training_with_dropout_equals_the_oracle(dropping, labelled):
    data, model = labelled(), dropping()
    [(result, arrays)] = rows([learner_of(model, data, 3)])[-1]
    assert_close(weights_of(arrays), oracle(model, data, 3))
    assert np.abs(weights_of(arrays) - oracle(model, data, 4)).max() > 1e-3
    # evaluated without dropout
    weight, bias = weights_of(arrays)[:4], weights_of(arrays)[4]
    margins = data.train_labels * (data.train_inputs @ weight + bias)
    assert_close(result.losses["train"], np.mean(np.log1p(np.exp(-margins))))


def test_training_with_dropout_goes_on_from_a_checkpoint_to_the_same_bits(dropping, labelled):
    data = labelled()
    whole = rows([learner_of(dropping(), data, 3)])
    [(_, middle)] = whole[1]
    resumed = rows([learner_of(dropping(), data, 3)], resume=(1, [middle]))
    for [(_, ours)], [(_, theirs)] in zip(resumed, whole[2:], strict=True):
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_stacked_trainings_have_the_draws_of_their_own_seeds(dropping, labelled):
    data = labelled()
    other = dataclasses.replace(data, train_labels=-data.train_labels)
    pairs = [(data, 3), (data, 4), (other, 3)]
    together = rows([learner_of(dropping(), its, seed) for its, seed in pairs])[-1]
    for (_, arrays), (its, seed) in zip(together, pairs, strict=True):
        assert_close(weights_of(arrays), oracle(dropping(), its, seed))


def test_the_step_and_the_sample_both_enter_a_key(labelled, dropping):
    course = learner_of(dropping(), labelled(), 0).course
    keys = [course.sample_keys(jnp.asarray(step), jnp.arange(3)) for step in (0, 1)]
    assert len({tuple(map(int, key)) for key in np.concatenate(keys)}) == 6


def test_a_model_that_takes_no_key_computes_none(mlp, dropping, labelled):
    def program(model):
        learner = learner_of(model, labelled(), 0)
        return str(jax.make_jaxpr(learner.gradient)(learner.begin(), jnp.arange(BATCH)))

    class Keyless(eqx.Module):
        inner: eqx.nn.Sequential

        def __call__(self, x):
            return self.inner(x)

    assert "fold_in" not in program(Stateless(Keyless(mlp.model)))
    assert "fold_in" in program(dropping())
