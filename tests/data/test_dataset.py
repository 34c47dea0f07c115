import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tolerance import assert_close

from linstudy.data import load, sizes
from linstudy.data.kinds import input_shape
from linstudy.data.subsets import stratified_order
from linstudy.spec.data import DigitsData, GaussianData, NpzData

# A few roundings of float32 inputs of order 1; the common bound would let a pixel level pass.
FLOAT32_INPUTS = 1e-6


@pytest.fixture
def numbered(npz):
    """An archive whose inputs are their own row numbers, the test ones far away."""
    train = np.arange(30, dtype=np.float64)[:, None]
    return str(npz(x_train=train, x_test=1000 + train[:9], y_train=np.arange(30) % 3, y_test=np.arange(9) % 3))


def rows(inputs):
    """The row numbers behind normalized inputs, up to the one affine map that normalization is."""
    return np.argsort(np.argsort(inputs[:, 0]))


def test_the_known_size_and_shape_of_digits_are_those_of_the_arrays():
    spec = DigitsData(kind="digits")
    data = load(spec)
    assert sizes(spec) == (len(data.train_inputs), len(data.test_inputs))
    assert input_shape(spec) == data.train_inputs.shape[1:]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 5))
def test_smaller_subsets_are_the_beginnings_of_larger_ones(numbered, one, other, seed):
    small, large = sorted((one, other))
    subset = load(NpzData(kind="npz", path=numbered, train=small, seed=seed))
    superset = load(NpzData(kind="npz", path=numbered, train=large, seed=seed))
    assert np.array_equal(subset.train_labels, superset.train_labels[:small])
    assert np.array_equal(rows(subset.train_inputs), rows(superset.train_inputs[:small]))


def test_labels_belong_to_their_inputs(numbered):
    data = load(NpzData(kind="npz", path=numbered, seed=4))
    assert np.array_equal(rows(data.train_inputs) % 3, data.train_labels)
    assert np.array_equal(rows(data.test_inputs) % 3, data.test_labels)


def test_indices_point_into_the_splits_of_the_source(numbered):
    data = load(NpzData(kind="npz", path=numbered, train=11, test=5, seed=2))
    whole = load(NpzData(kind="npz", path=numbered, seed=2))
    assert (data.train_total, data.test_total) == (30, 9)
    assert np.array_equal(rows(whole.train_inputs), whole.train_indices)
    assert np.array_equal(rows(whole.test_inputs), whole.test_indices)
    assert np.array_equal(data.train_indices, whole.train_indices[:11])
    assert np.array_equal(data.test_indices, whole.test_indices[:5])


def test_draws_are_in_their_own_order():
    data = load(GaussianData(kind="gaussian", train=4, test=3, shape=(2,)))
    assert np.array_equal(data.train_indices, np.arange(4))
    assert (data.train_total, data.test_total) == (4, 3)


def test_normalization_is_that_of_the_training_subset_alone(numbered):
    data = load(NpzData(kind="npz", path=numbered, train=7, test=3))
    whole = load(NpzData(kind="npz", path=numbered, test=3))
    assert abs(data.train_inputs.mean()) < 1e-6
    assert abs(data.train_inputs.std() - 1) < 1e-6
    assert abs(whole.train_inputs[:7].mean()) > 1e-3
    assert data.test_inputs.min() > 50


def test_the_test_samples_do_not_touch_the_training_inputs(numbered, npz, tmp_path):
    data = load(NpzData(kind="npz", path=numbered))
    train = np.arange(30, dtype=np.float64)[:, None]
    other = npz(tmp_path / "other.npz", x_train=train, x_test=-5 * train[:9], y_train=np.arange(30) % 3)
    assert np.array_equal(data.train_inputs, load(NpzData(kind="npz", path=str(other))).train_inputs)


def test_both_splits_equal_the_two_line_oracle_of_the_training_subset(npz):
    generator = np.random.default_rng(5)
    train, test = generator.uniform(0, 1, (30, 4, 5, 3)), generator.uniform(0, 1, (9, 4, 5, 3))
    path = str(npz(x_train=train, x_test=test, y_train=np.zeros(30, int), y_test=np.zeros(9, int)))
    data = load(NpzData(kind="npz", path=path, train=10))
    subset = train[stratified_order(np.zeros(30, int), 0, 0)[:10]]
    ordered = test[stratified_order(np.zeros(9, int), 0, 1)]
    for inputs, raw in ((data.train_inputs, subset), (data.test_inputs, ordered)):
        oracle = (raw - subset.mean((0, 1, 2))) / subset.std((0, 1, 2))
        assert_close(inputs, np.moveaxis(oracle, -1, 1), rtol=FLOAT32_INPUTS)


def test_the_fingerprint_tells_arrays_apart():
    same = [load(DigitsData(kind="digits", train=20, test=10)).fingerprint for _ in range(2)]
    other_seed = load(DigitsData(kind="digits", train=20, test=10, seed=1)).fingerprint
    other_size = load(DigitsData(kind="digits", train=20, test=11)).fingerprint
    assert same[0] == same[1]
    assert len({same[0], other_seed, other_size}) == 3
    assert len(same[0]) == 64


def test_fewer_samples_than_classes_are_allowed():
    data = load(DigitsData(kind="digits", train=3, test=1))
    assert len(set(data.train_labels)) == 3
    assert len(data.classes) == 10
