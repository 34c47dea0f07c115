import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.train.loss import binary_cross_entropy, mean_loss, right_samples


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


def test_the_mean_loss_and_the_right_samples_are_over_all_samples():
    logits, labels = jnp.asarray([2.0, -1.0, 0.5]), jnp.asarray([1.0, 1.0, -1.0])
    assert_close(mean_loss(logits, labels), np.mean(np.log1p(np.exp([-2.0, 1.0, 0.5]))))
    assert right_samples(logits, labels) == 1


def test_a_logit_of_zero_counts_as_plus_one():
    assert right_samples(jnp.zeros(3), jnp.asarray([1.0, 1.0, -1.0])) == 2


def test_a_logit_that_is_no_number_is_wrong_for_either_label():
    logits = jnp.asarray([jnp.nan, jnp.nan, jnp.inf, -jnp.inf])
    assert right_samples(logits, jnp.asarray([1.0, -1.0, 1.0, -1.0])) == 2


@pytest.mark.parametrize("samples", [355, 2**24 + 3])
def test_right_samples_are_counted_one_by_one_in_float32(samples):
    logits = np.ones(samples, np.float32)
    assert int(right_samples(jnp.asarray(logits), jnp.ones(samples, np.float32))) == samples
    logits[-1] = -1
    assert int(right_samples(jnp.asarray(logits), jnp.ones(samples, np.float32))) == samples - 1
