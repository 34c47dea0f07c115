import numpy as np
import pytest

from linstudy.data import load
from linstudy.spec.data import GaussianData


def draws(**fields):
    return load(GaussianData(kind="gaussian", **fields))


def test_shapes_sizes_and_labels():
    data = draws(shape=(2, 3, 4), train=5, test=6)
    assert data.train_inputs.shape == (5, 2, 3, 4)
    assert data.test_inputs.shape == (6, 2, 3, 4)
    assert data.train_inputs.dtype == np.float32
    assert not data.train_labels.any()
    assert data.classes == ()


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2)])
def test_larger_sets_begin_with_smaller_ones(shape):
    small, large = draws(shape=shape, train=5, test=4), draws(shape=shape, train=50, test=40)
    assert np.array_equal(small.train_inputs, large.train_inputs[:5])
    assert np.array_equal(small.test_inputs, large.test_inputs[:4])


def test_splits_and_seeds_are_independent():
    first, second = draws(shape=(3,), train=5, test=5), draws(shape=(3,), train=5, test=5, seed=1)
    assert not np.isclose(first.train_inputs, first.test_inputs).any()
    assert not np.isclose(first.train_inputs, second.train_inputs).any()


def test_draws_are_standard_normal_and_not_normalized():
    inputs = draws(shape=(4,), train=40_000, test=1).train_inputs.astype(np.float64)
    deviation_of_the_mean = 1 / np.sqrt(inputs.size)
    assert 0 < abs(inputs.mean()) < 4 * deviation_of_the_mean
    covariance = inputs.T @ inputs / len(inputs)
    assert np.abs(covariance - np.eye(4)).max() < 5 * np.sqrt(2 / len(inputs))
