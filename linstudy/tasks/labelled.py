"""Inputs with ±1 labels: what a task makes of a data set."""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from linstudy.data import Dataset

Needed = Callable[[str], Mapping[str, np.ndarray]]
"""The arrays of the run needed in a role: `needed("spectrum")["eigenvectors"]`."""


MOST_TURNED = 0.01
"""Share of an eigenvector's signs that rounding may turn over before its labels count as not well defined."""


@dataclass(frozen=True)
class LabelQuality:
    """How well the eigenvector is defined whose signs are labels.

    Attributes:
        name: `φ_10`.
        gap: Distance of its eigenvalue to the nearest other one, over its own.
        residual: ‖Θφ − λφ‖₂ / λ₁.
        rotation: Radians by which rounding turned it, as estimated.
    """

    name: str
    gap: float
    residual: float
    rotation: float

    @property
    def turned(self) -> float:
        """Share of the labels that rounding turned over: θ / π of an angle θ, as for Gaussian entries."""
        return self.rotation / math.pi

    @property
    def warning(self) -> str | None:
        """What to tell if the labels are not well defined."""
        if self.turned <= MOST_TURNED:
            return None
        return (
            f"the label sign {self.name} is not well defined: its eigenvalue is {self.gap:.2g} of itself away from the "
            f"next, so rounding of the Gram decides about {self.turned:.0%} of the signs. "
            "Take a smaller task.index, or write spectrum: {precision: float64}"
        )


@dataclass(frozen=True)
class Labelled:
    """Samples and labels of both splits; labels are +1 or −1.

    Attributes:
        quality: Of labels that an eigenvector gives.
    """

    train_inputs: Float[np.ndarray, "train ..."]
    train_labels: Float[np.ndarray, " train"]
    test_inputs: Float[np.ndarray, "test ..."]
    test_labels: Float[np.ndarray, " test"]
    quality: LabelQuality | None = None

    def astype(self, dtype: np.dtype) -> "Labelled":
        """All arrays in one precision."""
        arrays = (self.train_inputs, self.train_labels, self.test_inputs, self.test_labels)
        return Labelled(*(array.astype(dtype) for array in arrays), self.quality)


def signs(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """The sign of each value, with sign(0) = +1."""
    return np.where(values >= 0, 1.0, -1.0)


def coin_flips(
    data: Dataset, *, name: str, seed: int
) -> tuple[Float[np.ndarray, " train"], Float[np.ndarray, " test"]]:
    """A fair ±1 for every training and test sample, from one use of a seed."""
    entropy = (zlib.crc32(name.encode()), seed)
    return _flips(len(data.train_inputs), entropy, stream=0), _flips(len(data.test_inputs), entropy, stream=1)


def _flips(count: int, entropy: tuple[int, int], *, stream: int) -> Float[np.ndarray, " count"]:
    # Raw bits of a bit generator, since only these are promised to stay the same in all NumPy versions (NEP 19).
    bits = np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=(stream,))).random_raw(count) >> np.uint64(63)
    return np.where(bits == 1, 1.0, -1.0)
