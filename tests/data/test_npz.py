import numpy as np
import pytest

from linstudy.data import DataError, Places, load
from linstudy.data.npz import open_source
from linstudy.spec.data import NpzData


def source(path):
    return open_source(NpzData(kind="npz", path=str(path)), Places())


@pytest.mark.parametrize(
    ("shape", "channel_first"), [((7,), (7,)), ((4, 5), (1, 4, 5)), ((4, 5, 3), (3, 4, 5)), ((4, 5, 1), (1, 4, 5))]
)
def test_the_three_layouts(npz, shape, channel_first):
    inputs = np.random.default_rng(0).normal(size=(30, *shape))
    opened = source(npz(x_train=inputs, x_test=inputs[:9]))
    images = opened.train.read(np.array([4, 2]))
    assert images.dtype == np.float32
    assert images.shape == (2, *channel_first)
    expected = np.moveaxis(inputs, -1, 1) if len(shape) == 3 else inputs.reshape(30, *channel_first)
    assert np.array_equal(images, expected[[4, 2]].astype(np.float32))


def test_bytes_are_pixels(npz):
    opened = source(npz(x_train=np.full((30, 2), 255, np.uint8), x_test=np.zeros((9, 2), np.uint8)))
    assert opened.train.read(np.array([0])).tolist() == [[1, 1]]


def test_columns_of_labels_are_accepted_as_keras_writes_them(npz):
    opened = source(npz(y_train=(np.arange(30, dtype=np.uint8) % 4)[:, None]))
    assert opened.train.labels.tolist() == [i % 4 for i in range(30)]
    assert opened.classes == ("0", "1", "2", "3")


def test_missing_arrays_are_named(npz):
    with pytest.raises(DataError, match=r"has no x_test, y_test; it holds x_train, y_train. Write it with numpy.savez"):
        source(npz(without=("x_test", "y_test")))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_archive_is_an_error(tmp_path, content):
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no NumPy archive of plain arrays"):
        source(path)


def test_a_single_array_is_an_error(tmp_path):
    np.save(tmp_path / "set.npy", np.ones(3))
    (tmp_path / "set.npy").rename(tmp_path / "set.npz")
    with pytest.raises(DataError, match="is no NumPy archive of plain arrays"):
        source(tmp_path / "set.npz")


def test_pickled_objects_are_never_loaded(npz):
    with pytest.raises(DataError, match="is no NumPy archive of plain arrays .*allow_pickle=False"):
        source(npz(x_train=np.array([{"a": 1}] * 30)))


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            {"y_train": np.arange(29)},
            r"y_train is int64 of shape \(29,\); expected one label for each of the 30 samples",
        ),
        ({"y_train": np.linspace(0, 1, 30)}, "y_train is float64 .* one class a sample, integers from 0"),
        ({"y_test": np.full(9, -1)}, "y_test is int64 .* one class a sample, integers from 0"),
        ({"y_test": np.eye(9, dtype=int)}, r"y_test is int64 of shape \(9, 9\); expected one class a sample"),
        ({"x_train": np.zeros((30, 3, 32, 32))}, r"channels on the last axis: x_train.transpose\(0, 2, 3, 1\)"),
        ({"x_train": np.zeros(30)}, r"x_train is float64 of shape \(30,\); expected numbers of shape \(n, d\), "),
        ({"x_train": np.full((30, 2), np.nan)}, "x_train is .* expected finite real numbers"),
        ({"x_train": np.zeros((30, 2), complex)}, "x_train is complex128 .* expected finite real numbers"),
        ({"x_train": np.array([["a", "b"]] * 30)}, "x_train is <U1 .* expected numbers"),
        ({"x_test": np.zeros((9, 4, 6, 3))}, r"x_test is .*; expected inputs of the shape of x_train's, \(4, 5, 3\)"),
    ],
)
def test_arrays_of_a_wrong_form_are_named(npz, replaced, message):
    with pytest.raises(DataError, match=message):
        source(npz(**replaced))


def test_subsets_over_the_size_are_an_error(npz):
    with pytest.raises(
        DataError, match="data.train: 31 samples are asked for, but the train split of this npz has 30;"
    ):
        load(NpzData(kind="npz", path=str(npz()), train=31))
