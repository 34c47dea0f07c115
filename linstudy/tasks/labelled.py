"""Inputs with ±1 labels: what a task makes of a data set."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from linstudy.data import Dataset

Needed = Callable[[str], Mapping[str, np.ndarray]]
"""The arrays of the run needed in a role: `needed("spectrum")["eigenvectors"]`."""


@dataclass(frozen=True)
class Labelled:
    """Samples and labels of both splits; labels are +1 or −1."""

    train_inputs: Float[np.ndarray, "train ..."]
    train_labels: Float[np.ndarray, " train"]
    test_inputs: Float[np.ndarray, "test ..."]
    test_labels: Float[np.ndarray, " test"]

    def astype(self, dtype: np.dtype) -> "Labelled":
        """All arrays in one precision."""
        arrays = (self.train_inputs, self.train_labels, self.test_inputs, self.test_labels)
        return Labelled(*(array.astype(dtype) for array in arrays))


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
