"""The files of a folder of images, without opening any."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linstudy.data.errors import DataError

SPLITS = ("train", "test")
SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class ClassFolder:
    """One folder <split>/<class> and its images in the order of their names."""

    split: str
    name: str
    images: tuple[os.DirEntry[str], ...]


def class_folders(root: Path, split: str) -> list[ClassFolder]:
    """The classes of a split in the order of their names.

    Raises:
        DataError: If the split or one of its classes is empty.
    """
    folder = root / split
    if not folder.is_dir():
        raise DataError(
            f'"{root}" has no folder {split}/; image_folder reads train/<class>/*.jpg and test/<class>/*.jpg'
        )
    classes = [ClassFolder(split, entry.name, _images(entry.path)) for entry in _sorted_folders(folder)]
    if not classes:
        raise DataError(f'"{folder}" has no folders in it; image_folder expects one a class: {split}/<class>/*.jpg')
    for empty in (each for each in classes if not each.images):
        raise DataError(f'"{folder / empty.name}" holds no image; allowed: {", ".join(SUFFIXES)}')
    return classes


def image_entries(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every image with its path relative to `root`, in a fixed order."""
    for split in SPLITS:
        for folder in class_folders(root, split):
            for entry in folder.images:
                yield f"{split}/{folder.name}/{entry.name}", entry


def _sorted_folders(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if e.is_dir() and not e.name.startswith(".")), key=lambda e: e.name)


def _images(folder: str) -> tuple[os.DirEntry[str], ...]:
    with os.scandir(folder) as entries:
        images = [e for e in entries if e.name.lower().endswith(SUFFIXES) and not e.name.startswith(".")]
    return tuple(sorted(images, key=lambda e: e.name))
