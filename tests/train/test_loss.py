import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.models.network import Stateless
from linstudy.train.loss import binary_cross_entropy, evaluate


class First(eqx.Module):
    """The first input as the logit."""

    def __call__(self, x):
        return x[0]


def test_the_loss_equals_log_one_plus_exp():
    logits, labels = np.linspace(-5, 5, 11), np.where(np.arange(11) % 2 == 0, 1.0, -1.0)
    assert_close(binary_cross_entropy(jnp.asarray(logits), jnp.asarray(labels)), np.log(1 + np.exp(-labels * logits)))


def test_the_loss_is_the_cross_entropy_of_a_sigmoid():
    logits = np.linspace(-5, 5, 11)
    probability = 1 / (1 + np.exp(-logits))
    assert_close(binary_cross_entropy(jnp.asarray(logits), jnp.ones(11)), -np.log(probability))
    assert_close(binary_cross_entropy(jnp.asarray(logits), -jnp.ones(11)), -np.log(1 - probability))


def test_the_loss_of_extreme_logits_is_finite():
    values = binary_cross_entropy(jnp.asarray([1e4, -1e4]), jnp.ones(2))
    assert_close(values, np.array([0.0, 1e4]))


@pytest.mark.parametrize("samples", range(1, 10))
@pytest.mark.parametrize("batch", [1, 4, 256])
def test_evaluation_covers_every_sample_once_whatever_the_batch(samples, batch):
    generator = np.random.default_rng(samples)
    inputs, labels = generator.standard_normal((samples, 2)), np.where(generator.random(samples) < 0.5, 1.0, -1.0)
    loss, accuracy = evaluate(Stateless(First()), None, jnp.asarray(inputs), jnp.asarray(labels), batch)
    margins = labels * inputs[:, 0]
    assert_close(loss, np.mean(np.log1p(np.exp(-margins))))
    assert_close(accuracy, np.mean(margins > 0))


def test_a_logit_of_zero_counts_as_plus_one():
    inputs, labels = jnp.zeros((3, 1)), jnp.asarray([1.0, 1.0, -1.0])
    assert_close(evaluate(Stateless(First()), None, inputs, labels, 2)[1], 2 / 3)
