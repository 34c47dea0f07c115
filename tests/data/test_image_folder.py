import numpy as np
import pytest
from PIL import Image

from linstudy.data import DataError, Places, load
from linstudy.data.image_folder import open_source
from linstudy.spec.data import ImageFolderData


def spec(root, **sizes):
    return ImageFolderData(kind="image_folder", path=str(root), **sizes)


def test_images_are_read_by_class_and_name(image_folder):
    source = open_source(spec(image_folder()), Places())
    assert source.classes == ("cat", "dog", "emu")
    assert np.array_equal(source.train.labels, np.repeat([0, 1, 2], 12))
    assert np.array_equal(source.test.labels, np.repeat([0, 1, 2], 4))
    images = source.train.read(np.array([12 + 3, 0]))
    assert images.shape == (2, 3, 6, 8)
    assert np.array_equal(images[0, :, 2, 2], np.array([10, 60, 7], np.float32) / 255)


def test_grey_images_have_one_channel(image_folder):
    source = open_source(spec(image_folder(mode="L")), Places())
    assert np.array_equal(source.test.read(np.array([1])), np.full((1, 1, 6, 8), np.float32(20) / 255))


@pytest.mark.parametrize("suffix", ["jpg", "JPEG"])
def test_jpeg_files_are_read(image_folder, suffix):
    data = load(spec(image_folder(suffix=suffix)))
    assert data.train_inputs.shape == (36, 3, 6, 8)


def test_only_chosen_images_are_decoded(image_folder, monkeypatch):
    opened = []
    open_image = Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(str(path)) or open_image(path))
    data = load(spec(image_folder(), train=6, test=3))
    header_of_the_first = 1
    assert len(opened) == header_of_the_first + 6 + 3
    assert np.bincount(data.train_labels).tolist() == [2, 2, 2]


def test_other_files_are_ignored(image_folder):
    root = image_folder()
    (root / "train" / "cat" / ".hidden.png").write_bytes(b"")
    (root / "train" / "cat" / "Thumbs.db").write_bytes(b"")
    (root / "train" / "README.md").write_text("")
    assert len(open_source(spec(root), Places()).train.labels) == 36


@pytest.mark.parametrize(("size", "mode"), [((6, 8), "RGB"), ((8, 6), "L"), ((8, 6), "RGBA")])
def test_an_image_unlike_the_first_is_named(image_folder, size, mode):
    root = image_folder()
    odd = root / "test" / "dog" / "02.png"
    Image.new(mode, size).save(odd)
    with pytest.raises(DataError) as error:
        load(spec(root))
    first = root / "train" / "cat" / "00.png"
    assert str(error.value) == (
        f'"{odd}" is {size[0]}×{size[1]} {mode}, but "{first}" is 8×6 RGB; all images must be alike'
    )


def test_a_mode_that_is_neither_grey_nor_rgb_is_an_error(image_folder):
    with pytest.raises(DataError, match="is 8×6 P; allowed modes: L .grey. and RGB; convert"):
        load(spec(image_folder(mode="P")))


@pytest.mark.parametrize("keep", [0, 45])
def test_a_damaged_image_is_named(image_folder, keep):
    root = image_folder()
    damaged = root / "train" / "emu" / "05.png"
    damaged.write_bytes(damaged.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"05.png\" is no readable image"):
        load(spec(root))


def test_a_missing_split_is_an_error(image_folder):
    with pytest.raises(DataError, match="has no folder train/; image_folder reads train/<class>"):
        load(spec(image_folder() / "train"))


def test_an_empty_class_is_an_error(image_folder):
    root = image_folder()
    (root / "train" / "fox").mkdir()
    with pytest.raises(DataError, match='fox" holds no image; allowed: .jpg, .jpeg, .png'):
        load(spec(root))


def test_a_class_for_testing_only_is_an_error(image_folder):
    root = image_folder()
    (root / "train" / "emu").rename(root / "train" / "fox")
    with pytest.raises(DataError, match="has the class emu, which train/ has not .cat, dog, fox.; add train/emu/"):
        load(spec(root))
