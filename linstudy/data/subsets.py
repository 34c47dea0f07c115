"""Stratified subsets that contain one another."""

import numpy as np
from jaxtyping import Int64, UInt64

from linstudy.data.errors import DataError


def stratified_order(labels: Int64[np.ndarray, " samples"], seed: int, stream: int) -> Int64[np.ndarray, " samples"]:
    """An order of the samples whose every beginning is a stratified subset.

    The r-th of a class's c samples, in random order, has the position (r + 1/2) / c. The first n of N samples then
    hold n c / N of the class, up to 1/2 + c C / 2N for C classes; ties between classes are broken at random.

    Args:
        seed: Chooses the order.
        stream: Makes orders of one seed independent, such as those of two splits.
    """
    keys = _random_keys(len(labels), seed, stream)
    by_class = np.lexsort((keys, labels))
    counts = np.bincount(labels)
    ranks = np.empty(len(labels), np.int64)
    ranks[by_class] = np.arange(len(labels)) - (np.cumsum(counts) - counts)[labels[by_class]]
    return np.lexsort((keys, (ranks + 0.5) / counts[labels]))


def checked_count(asked: int | None, available: int, kind: str, split: str) -> int:
    """The number of samples to take from a split.

    Raises:
        DataError: If more are asked for than there are.
    """
    if asked is not None and asked > available:
        raise DataError(
            f"data.{split}: {asked:,} samples are asked for, but the {split} split of this {kind} has {available:,}; "
            f"write at most {split}: {available}, or leave it out for all of them"
        )
    return available if asked is None else asked


def _random_keys(count: int, seed: int, stream: int) -> UInt64[np.ndarray, " count"]:
    # Raw bits of a bit generator, since only these are promised to stay the same in all NumPy versions (NEP 19).
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream,))).random_raw(count)
