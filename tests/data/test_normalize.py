import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tolerance import assert_close

from linstudy.data.normalize import channel_statistics, normalize

# A few roundings of float32 inputs of order 1; the common bound would let a pixel level pass.
FLOAT32_INPUTS = 1e-6


@pytest.mark.parametrize("shape", [(50, 3, 4, 5), (50, 1, 4, 5)])
def test_images_equal_the_two_line_oracle(seed, shape):
    images = np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)
    double = images.astype(np.float64)
    oracle = (double - double.mean((0, 2, 3), keepdims=True)) / double.std((0, 2, 3), keepdims=True)
    assert_close(normalize(images, *channel_statistics(images)), oracle, rtol=FLOAT32_INPUTS)


def test_vectors_are_one_channel(seed):
    vectors = np.random.default_rng(seed).normal(5, [1, 10, 100], (40, 3)).astype(np.float32)
    double = vectors.astype(np.float64)
    assert_close(
        normalize(vectors, *channel_statistics(vectors)), (double - double.mean()) / double.std(), rtol=FLOAT32_INPUTS
    )


@given(arrays(np.float32, array_shapes(min_dims=4, max_dims=4, max_side=4), elements=st.floats(0, 1, width=32)))
def test_a_constant_channel_becomes_zero_and_nothing_is_infinite(images):
    images = np.concatenate([images, np.full_like(images[:, :1], np.float32(0.1))], axis=1)
    normalized = normalize(images, *channel_statistics(images))
    assert np.isfinite(normalized).all()
    assert not normalized[:, -1].any()


def test_a_range_below_the_smallest_float32_deviation_is_constant():
    images = np.zeros((4, 1, 4, 4), np.float32)
    images[0, 0, 0, 0] = 1e-45
    assert channel_statistics(images)[1].tolist() == [1]
    assert np.isfinite(normalize(images, *channel_statistics(images))).all()


def test_statistics_of_many_float32_samples_are_accumulated_in_float64():
    images = np.full((200, 1, 64, 64), np.float32(1000.1))
    images[::2] += np.float32(0.5)
    mean, deviation = channel_statistics(images)
    assert abs(mean[0] - 1000.35) < 1e-3
    assert abs(deviation[0] - 0.25) < 1e-3


def test_inputs_are_left_alone():
    images = np.ones((2, 1, 2, 2), np.float32)
    normalize(images, np.ones(1, np.float32), np.ones(1, np.float32))
    assert images.all()
