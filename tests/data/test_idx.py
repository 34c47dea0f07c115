import numpy as np
import pytest

from linstudy.data import Places, load
from linstudy.data.idx import open_source, parse_idx
from linstudy.spec.data import FashionMnistData, MnistData


@pytest.mark.parametrize("shape", [(5,), (2, 3), (4, 3, 2)])
def test_arrays_of_any_rank_are_parsed(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    header = bytes([0, 0, 8, len(shape)]) + b"".join(axis.to_bytes(4, "big") for axis in shape)
    assert np.array_equal(parse_idx(header + array.tobytes()), array)


@pytest.mark.parametrize(
    ("spec", "names"),
    [(MnistData(kind="mnist"), ("0", "9")), (FashionMnistData(kind="fashion_mnist"), ("T-shirt/top", "Ankle boot"))],
)
def test_images_and_labels_are_read_in_the_official_order(tmp_path, mnist, publish, write, spec, names):
    files, arrays = mnist
    publish(spec.kind, files)
    source = open_source(spec, Places(data_folder=write(tmp_path / "data", files)))
    chosen = np.array([3, 0])
    assert np.array_equal(source.train.labels, arrays["train-labels-idx1-ubyte.gz"])
    assert np.array_equal(source.test.labels, arrays["t10k-labels-idx1-ubyte.gz"])
    for split, name in ((source.train, "train-images-idx3-ubyte.gz"), (source.test, "t10k-images-idx3-ubyte.gz")):
        assert np.array_equal(split.read(chosen), arrays[name][chosen, None].astype(np.float32) / 255)
    assert (source.classes[0], source.classes[-1]) == names


def test_a_subset_is_loaded_normalized(tmp_path, mnist, publish, write):
    files, _ = mnist
    publish("mnist", files)
    data = load(MnistData(kind="mnist", train=20, test=10), Places(data_folder=write(tmp_path / "data", files)))
    assert data.train_inputs.shape == (20, 1, 28, 28)
    assert np.bincount(data.train_labels).tolist() == [2] * 10
    assert np.bincount(data.test_labels).tolist() == [1] * 10
    assert abs(data.train_inputs.mean()) < 1e-5
    assert abs(data.train_inputs.std() - 1) < 1e-5
