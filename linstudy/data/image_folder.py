"""Folders of images, of which only the chosen ones are decoded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from linstudy.data.errors import DataError
from linstudy.data.listing import ClassFolder, class_folders
from linstudy.data.places import Places
from linstudy.data.source import Source, Split, unit_range
from linstudy.spec.data import ImageFolderData

_CHANNELS = {"L": 1, "RGB": 3}


@dataclass(frozen=True)
class _Form:
    """What all images of a folder share, and the image that showed it first."""

    width: int
    height: int
    mode: str
    path: str

    def __str__(self) -> str:
        return f"{self.width}×{self.height} {self.mode}"


def open_source(spec: ImageFolderData, places: Places) -> Source:
    """The images below train/ and test/; classes are the folders of train/, in the order of their names."""
    root = places.resolve(spec.path)
    train, test = class_folders(root, "train"), class_folders(root, "test")
    classes = tuple(each.name for each in train)
    _check_classes(root, classes, test)
    form = _first_form(train[0].images[0].path)
    return Source(_split(train, classes, form), _split(test, classes, form), classes)


def _check_classes(root: Path, classes: tuple[str, ...], test: list[ClassFolder]) -> None:
    unknown = [each.name for each in test if each.name not in classes]
    if unknown:
        raise DataError(
            f'"{root / "test"}" has the class {unknown[0]}, which train/ has not ({", ".join(classes)}); '
            f"add train/{unknown[0]}/ or remove test/{unknown[0]}/"
        )


def _split(folders: list[ClassFolder], classes: tuple[str, ...], form: _Form) -> Split:
    paths = [entry.path for folder in folders for entry in folder.images]
    labels = [classes.index(folder.name) for folder in folders]
    return Split(
        np.repeat(np.array(labels, np.int64), [len(folder.images) for folder in folders]),
        lambda chosen: _read(paths, chosen, form),
    )


def _read(paths: list[str], chosen: Int64[np.ndarray, " chosen"], form: _Form) -> Float32[np.ndarray, "chosen c h w"]:
    pixels = np.empty((len(chosen), form.height, form.width, _CHANNELS[form.mode]), np.uint8)
    for row, index in zip(pixels, chosen, strict=True):
        row[:] = _decode(paths[index], form)
    return unit_range(pixels.transpose(0, 3, 1, 2))


def _first_form(path: str) -> _Form:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            form = _Form(*image.size, image.mode, path)
    except (OSError, UnidentifiedImageError) as error:
        raise _unreadable(path, error) from error
    if form.mode not in _CHANNELS:
        raise DataError(
            f'"{path}" is {form}; allowed modes: L (grey) and RGB; convert the images, for example with Pillow'
        )
    return form


def _decode(path: str, form: _Form) -> UInt8[np.ndarray, "h w c"]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            found = _Form(*image.size, image.mode, path)
            if str(found) != str(form):
                raise DataError(f'"{path}" is {found}, but "{form.path}" is {form}; all images must be alike')
            return np.asarray(image).reshape(form.height, form.width, -1)
    except (OSError, SyntaxError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> DataError:
    return DataError(f'"{path}" is no readable image ({error}); replace or delete it')
