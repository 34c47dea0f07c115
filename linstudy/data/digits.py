"""The handwritten digits of the UCI repository, embedded in scikit-learn."""

import numpy as np

from linstudy.data.places import Places
from linstudy.data.source import Labels, Source, Split
from linstudy.spec.data import DigitsData


def open_source(spec: DigitsData, places: Places) -> Source:
    """The 1,797 digits, of which every fifth of a class is for testing: scikit-learn publishes no split of its own."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = (np.asarray(pixels) / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    labels = np.asarray(labels, np.int64)
    is_test = every_fifth(labels)
    return Source(
        train=_split(labels[~is_test], images[~is_test]),
        test=_split(labels[is_test], images[is_test]),
        classes=tuple(str(digit) for digit in range(10)),
    )


def every_fifth(labels: Labels) -> np.ndarray:
    """Marks the fifth, tenth, … sample of each class."""
    marks = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        marks[np.flatnonzero(labels == label)[4::5]] = True
    return marks


def _split(labels: Labels, images: np.ndarray) -> Split:
    return Split(labels, lambda chosen: images[chosen])
