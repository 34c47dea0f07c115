import os

import pytest

from linstudy.data import DataError, source_identity
from linstudy.data.published import PUBLISHED
from linstudy.spec.data import (
    Cifar10Data,
    DigitsData,
    FashionMnistData,
    GaussianData,
    ImageFolderData,
    MnistData,
    NpzData,
)


@pytest.fixture
def hashed(monkeypatch):
    """The contents that were read to be hashed."""
    from linstudy.data import content

    read = []
    for name in ("_digest", "_digest_small"):
        original = getattr(content, name)
        monkeypatch.setattr(content, name, lambda path, original=original: read.append(path) or original(path))
    return read


def folder_identity(root):
    return source_identity(ImageFolderData(kind="image_folder", path=str(root)))


def npz_identity(path):
    return source_identity(NpzData(kind="npz", path=str(path)))


def test_embedded_and_published_sets_have_constants_that_need_no_files():
    specs = [DigitsData(kind="digits"), MnistData(kind="mnist"), FashionMnistData(kind="fashion_mnist")]
    identities = [source_identity(spec) for spec in [*specs, Cifar10Data(kind="cifar10")]]
    assert identities[0] == "digits-sklearn-1"
    assert identities[3] == "md5:c32a1d4ab5d03f1284b67883e8d87530"
    assert len(set(identities)) == 4


def test_the_published_hashes_are_all_different():
    hashes = [md5 for each in PUBLISHED.values() for file in each.files for md5 in (file.md5, file.content_md5) if md5]
    assert len(set(hashes)) == len(hashes) == 18
    assert all(len(md5) == 32 and set(md5) <= set("0123456789abcdef") for md5 in hashes)


def test_draws_have_no_identity_of_their_own():
    assert (
        source_identity(GaussianData(kind="gaussian")) == source_identity(GaussianData(kind="gaussian", seed=3)) == ""
    )


def test_a_folders_identity_does_not_depend_on_its_place(image_folder, tmp_path):
    assert folder_identity(image_folder(tmp_path / "a")) == folder_identity(image_folder(tmp_path / "b" / "c"))


def test_a_folders_identity_covers_bytes_and_relative_paths(image_folder):
    root = image_folder()
    identities = [folder_identity(root)]
    cat = root / "train" / "cat"
    (cat / "00.png").write_bytes((cat / "01.png").read_bytes())
    identities.append(folder_identity(root))
    (cat / "00.png").rename(cat / "99.png")
    identities.append(folder_identity(root))
    (cat / "99.png").rename(root / "train" / "dog" / "99.png")
    identities.append(folder_identity(root))
    assert len(set(identities)) == 4


def test_a_folders_identity_covers_names_even_when_the_order_of_the_files_stays(image_folder):
    root = image_folder()
    before = folder_identity(root)
    (root / "train" / "cat").rename(root / "train" / "bat")
    assert folder_identity(root) != before


def test_a_folders_identity_ignores_what_is_not_loaded(image_folder):
    root = image_folder()
    before = folder_identity(root)
    (root / "README.md").write_text("notes")
    (root / "train" / "cat" / "notes.txt").write_text("notes")
    assert folder_identity(root) == before


def test_a_second_look_at_a_folder_reads_no_file(image_folder, hashed):
    root = image_folder()
    first = folder_identity(root)
    assert len(hashed) == 48
    assert folder_identity(root) == first
    assert len(hashed) == 48


def test_a_changed_time_or_size_is_looked_at_again(image_folder, hashed):
    root = image_folder()
    first = folder_identity(root)
    os.utime(root / "test" / "emu" / "03.png", ns=(1, 1))
    assert folder_identity(root) == first
    assert len(hashed) == 2 * 48


def test_the_identity_of_a_file_is_remembered_until_it_changes(npz, hashed, tmp_path):
    path = npz()
    first = npz_identity(path)
    assert npz_identity(path) == first
    assert len(hashed) == 1
    npz(y_test=[0] * 9)
    assert npz_identity(path) != first
    assert len(hashed) == 2


def test_the_identity_of_a_file_does_not_depend_on_its_name(npz, tmp_path):
    path = npz()
    first = npz_identity(path)
    assert npz_identity(path.rename(tmp_path / "renamed.npz")) == first


def test_a_cache_that_cannot_be_written_is_done_without(npz, cache, hashed):
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("a file where the folder should be")
    path = npz()
    assert npz_identity(path) == npz_identity(path)
    assert len(hashed) == 2


def test_a_change_that_keeps_size_and_time_is_noticed(npz, hashed):
    """As `rsync --times` and `touch -r` make it."""
    path = npz()
    before, times = npz_identity(path), path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    assert npz_identity(path) != before


def test_another_file_of_the_same_size_and_time_is_noticed(image_folder, tmp_path):
    root = image_folder()
    before = folder_identity(root)
    image = root / "train" / "cat" / "00.png"
    times, other = image.stat(), tmp_path / "other.png"
    other.write_bytes(image.read_bytes()[:-1] + b"x")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(image)
    assert folder_identity(root) != before


def test_what_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataError, match=r"folder\.npz cannot be read: Is a directory"):
        npz_identity(tmp_path / "folder.npz")
