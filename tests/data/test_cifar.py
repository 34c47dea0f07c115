import numpy as np
import pytest

from linstudy.data import DataError, Places, load
from linstudy.data.cifar import open_source
from linstudy.spec.data import Cifar10Data, Cifar100Data


def records(generator, labels):
    """Label bytes (one row a sample) followed by 3,072 pixels, and the pixels as images."""
    pixels = generator.integers(0, 256, (len(labels), 3072), np.uint8)
    return np.concatenate([labels, pixels], axis=1, dtype=np.uint8).tobytes(), pixels.reshape(-1, 3, 32, 32)


@pytest.fixture
def cifar10(tar):
    generator = np.random.default_rng(2)
    labels = np.arange(4, dtype=np.uint8)[:, None]
    packed = {f"data_batch_{i}.bin": records(generator, (labels + i) % 10) for i in (1, 2, 3, 4, 5)}
    packed["test_batch.bin"] = records(generator, labels)
    names = {"batches.meta.txt": b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"}
    archive = tar("cifar-10-batches-bin", {name: content for name, (content, _) in packed.items()} | names)
    return {"cifar-10-binary.tar.gz": archive}, {name: images for name, (_, images) in packed.items()}


def test_cifar10_joins_its_five_batches_in_order(tmp_path, cifar10, publish, write):
    files, images = cifar10
    publish("cifar10", files)
    source = open_source(Cifar10Data(kind="cifar10"), Places(data_folder=write(tmp_path / "data", files)))
    expected = np.concatenate([images[f"data_batch_{i}.bin"] for i in (1, 2, 3, 4, 5)])
    assert np.array_equal(source.train.read(np.arange(20)), expected.astype(np.float32) / 255)
    assert np.array_equal(source.test.read(np.arange(4)), images["test_batch.bin"].astype(np.float32) / 255)
    assert source.train.labels.tolist() == [(i + batch) % 10 for batch in (1, 2, 3, 4, 5) for i in range(4)]
    assert source.classes[0] == "airplane"
    assert len(source.classes) == 10


def test_cifar100_takes_the_fine_label_of_the_two(tmp_path, tar, publish, write):
    generator = np.random.default_rng(3)
    labels = np.array([[1, 40], [2, 99]], np.uint8)
    train, images = records(generator, labels)
    test, _ = records(generator, labels)
    names = "\n".join(f"class{i}" for i in range(100)).encode()
    members = {"coarse_label_names.txt": b"a\nb\n", "fine_label_names.txt": names, "train.bin": train, "test.bin": test}
    files = {"cifar-100-binary.tar.gz": tar("cifar-100-binary", members)}
    publish("cifar100", files)
    source = open_source(Cifar100Data(kind="cifar100"), Places(data_folder=write(tmp_path / "data", files)))
    assert source.train.labels.tolist() == [40, 99]
    assert np.array_equal(source.train.read(np.array([1])), images[1:].astype(np.float32) / 255)
    assert len(source.classes) == 100


def test_a_changed_archive_is_refused(tmp_path, cifar10, publish, write):
    files, _ = cifar10
    publish("cifar10", files)
    changed = {name: content + b"\0" for name, content in files.items()}
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz\" has the MD5 .*, but the published .* has"):
        load(Cifar10Data(kind="cifar10"), Places(data_folder=write(tmp_path / "data", changed)))


def test_a_subset_over_the_archives_size_is_an_error(tmp_path, cifar10, publish, write):
    files, _ = cifar10
    publish("cifar10", files)
    with pytest.raises(DataError, match="data.test: 5 samples are asked for, but the test split of this cifar10 has 4"):
        load(Cifar10Data(kind="cifar10", test=5), Places(data_folder=write(tmp_path / "data", files)))
