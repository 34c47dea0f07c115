"""What a kind of data hands over before samples are chosen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt8

Labels = Int64[np.ndarray, " samples"]
Inputs = Float32[np.ndarray, "samples ..."]


@dataclass(frozen=True)
class Split:
    """The labels of one split, and a function that reads the inputs of chosen samples only."""

    labels: Labels
    read: Callable[[Int64[np.ndarray, " chosen"]], Float32[np.ndarray, "chosen ..."]]


@dataclass(frozen=True)
class Source:
    """A data set whose inputs are still unread.

    Attributes:
        classes: Names of the classes, by label; empty if there are none.
        drawn: Whether the samples are draws of exactly the size asked for: neither chosen from nor normalized.
    """

    train: Split
    test: Split
    classes: tuple[str, ...] = ()
    drawn: bool = False


def unit_range(pixels: UInt8[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Pixels of 0 to 255 as 0 to 1."""
    return pixels / np.float32(255)


def pixel_split(labels: np.ndarray, pixels: UInt8[np.ndarray, "samples ..."]) -> Split:
    """A split whose pixels are in memory."""
    return Split(labels.astype(np.int64), lambda chosen: unit_range(pixels[chosen]))
