"""The form of data that only the data can tell: files are counted, and one header of each array or image is read."""

import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from linstudy.data.errors import DataError
from linstudy.data.kinds import form
from linstudy.data.listing import class_folders
from linstudy.data.places import Places
from linstudy.spec.data import Data, DataForm, ImageFolderData, NpzData

Found = tuple[int, int, tuple[int, ...]]


def glances(places: Places) -> Callable[[Data], DataForm]:
    """As `form`, with what a look at the files tells beside; each is looked at once. What nothing tells stays open."""
    looked: dict[str, Found | None] = {}

    def look(spec: Data) -> DataForm:
        known = form(spec)
        if spec.kind not in GLANCES:
            return known
        path = spec.path  # type: ignore[union-attr]
        if path not in looked:
            looked[path] = _glance(spec, places)
        if (found := looked[path]) is None:
            return known
        return DataForm(known.train or found[0], known.test or found[1], found[2], known.classes)

    return look


def _glance(spec: Data, places: Places) -> Found | None:
    with suppress(DataError, OSError, ValueError, KeyError, zipfile.BadZipFile):
        return GLANCES[spec.kind](spec, places)
    return None


def _image_folder(spec: ImageFolderData, places: Places) -> Found:
    from PIL import Image

    root = places.resolve(spec.path)
    splits = [class_folders(root, split) for split in ("train", "test")]
    train, test = (sum(len(folder.images) for folder in folders) for folders in splits)
    with Image.open(splits[0][0].images[0].path) as image:
        return train, test, (len(image.getbands()), image.height, image.width)


def _npz(spec: NpzData, places: Places) -> Found:
    with zipfile.ZipFile(places.resolve(spec.path)) as archive:
        (train, *shape), (test, *_) = (_array_shape(archive, f"x_{split}.npy") for split in ("train", "test"))
    return train, test, {1: tuple(shape), 2: (1, *shape), 3: (shape[-1], *shape[:-1])}[len(shape)]


def _array_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as file:
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        return readers[np.lib.format.read_magic(file)](file)[0]


GLANCES: dict[str, Callable[[Any, Places], Found]] = {
    "image_folder": _image_folder,
    "npz": _npz,
}
"""The kinds of data whose form is not in their spec; each gives training and test samples and the shape of one."""
