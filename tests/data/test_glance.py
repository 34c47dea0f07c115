"""What a look at data tells is what loading them finds; and what it cannot tell stays open."""

import numpy as np
import pytest
from PIL import Image

from linstudy.data.glance import glances
from linstudy.data.kinds import form
from linstudy.data.places import HERE, Places
from linstudy.spec.data import Cifar10Data, DataForm, ImageFolderData, NpzData


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_images_are_counted_and_one_header_is_read(tmp_path, mode, channels):
    for name in ("train/a/0.png", "train/a/1.png", "train/b/0.png", "test/a/0.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (5, 7)).save(path)
    look = glances(Places(tmp_path))
    assert look(ImageFolderData(kind="image_folder", path="images")) == DataForm(3, 1, (channels, 7, 5))
    assert look(ImageFolderData(kind="image_folder", path="images", train=2)) == DataForm(2, 1, (channels, 7, 5))


@pytest.mark.parametrize(("shape", "found"), [((4,), (4,)), ((5, 7), (1, 5, 7)), ((5, 7, 3), (3, 5, 7))])
def test_headers_of_arrays_are_read(tmp_path, shape, found):
    arrays = {f"x_{split}": np.zeros((count, *shape)) for split, count in (("train", 6), ("test", 2))}
    np.savez_compressed(tmp_path / "a.npz", **arrays, y_train=np.zeros(6, int), y_test=np.zeros(2, int))
    assert glances(Places(tmp_path))(NpzData(kind="npz", path="a.npz")) == DataForm(6, 2, found)


def test_what_is_not_there_or_broken_stays_open(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no archive")
    (tmp_path / "images/train/a").mkdir(parents=True)
    look = glances(Places(tmp_path))
    assert look(NpzData(kind="npz", path="a.npz", train=3)) == DataForm(train=3)
    assert look(NpzData(kind="npz", path="b.npz")) == DataForm()
    assert look(ImageFolderData(kind="image_folder", path="images")) == DataForm()


def test_what_the_spec_tells_needs_no_look():
    spec = Cifar10Data(kind="cifar10", train=100)
    assert glances(HERE)(spec) == form(spec)
