"""The handwritten digits of the UCI repository, embedded in scikit-learn."""

import importlib.util
from pathlib import Path

import numpy as np

from linstudy.data.places import Places
from linstudy.data.source import Labels, Source, Split
from linstudy.spec.data import DigitsData


def open_source(spec: DigitsData, places: Places) -> Source:
    """The 1,797 digits, of which every fifth of a class is for testing: scikit-learn publishes no split of its own."""
    pixels, labels = read_digits()
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    is_test = every_fifth(labels)
    return Source(
        train=_split(labels[~is_test], images[~is_test]),
        test=_split(labels[is_test], images[is_test]),
        classes=tuple(str(digit) for digit in range(10)),
    )


def read_digits() -> tuple[np.ndarray, Labels]:
    """The pixels, 0 to 16, one image a row, and the digits: `load_digits`, without the second that its import takes."""
    package = importlib.util.find_spec("sklearn")
    folders = package.submodule_search_locations if package else None
    files = [Path(folder, "datasets", "data", "digits.csv.gz") for folder in folders or ()]
    if files and files[0].is_file():
        table = np.loadtxt(files[0], delimiter=",")
        return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits  # knows where the file is, if it has moved

    pixels, labels = load_digits(return_X_y=True)
    return np.asarray(pixels), np.asarray(labels, np.int64)


def every_fifth(labels: Labels) -> np.ndarray:
    """Marks the fifth, tenth, … sample of each class."""
    marks = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        marks[np.flatnonzero(labels == label)[4::5]] = True
    return marks


def _split(labels: Labels, images: np.ndarray) -> Split:
    return Split(labels, lambda chosen: images[chosen])
