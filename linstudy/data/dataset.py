"""From a data spec to arrays."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

import numpy as np
from jaxtyping import Float32, Int64

from linstudy.data.kinds import KINDS
from linstudy.data.normalize import channel_statistics, normalize
from linstudy.data.places import HERE, Places
from linstudy.data.source import Source, Split
from linstudy.data.subsets import checked_count, stratified_order
from linstudy.spec.data import Data

Indices = Int64[np.ndarray, " samples"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The samples of a run, in data order: the first n of a split are a stratified subset of it.

    Attributes:
        train_inputs: Channel-first images or vectors, normalized by their own mean and deviation.
        train_labels: Class of each training sample, from 0.
        test_inputs: Normalized as the training samples are.
        test_labels: Class of each test sample.
        classes: Names of the classes, by label; empty for draws.
        train_indices: Position of each training sample in the training split of the source.
        test_indices: Position of each test sample in the test split of the source.
        train_total: Size of the source's training split.
        test_total: Size of the source's test split.
    """

    train_inputs: Float32[np.ndarray, "train *shape"]
    train_labels: Int64[np.ndarray, " train"]
    test_inputs: Float32[np.ndarray, "test *shape"]
    test_labels: Int64[np.ndarray, " test"]
    classes: tuple[str, ...]
    train_indices: Int64[np.ndarray, " train"]
    test_indices: Int64[np.ndarray, " test"]
    train_total: int
    test_total: int

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the shapes, types and bytes of the four arrays."""
        digest = hashlib.sha256()
        for array in (self.train_inputs, self.train_labels, self.test_inputs, self.test_labels):
            digest.update(f"{array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load(spec: Data, places: Places = HERE) -> Dataset:
    """The data set of a spec.

    Args:
        places: Where relative paths are looked for, and published archives, in the data folder and the platform's
            cache. What is published and found in neither is downloaded.

    Raises:
        DataError: If the data are missing, damaged, or fewer than asked for.
    """
    source: Source = import_module(f"linstudy.data.{KINDS[spec.kind].module}").open_source(spec, places)
    train = _chosen(source, source.train, spec.train, spec, "train", stream=0)
    test = _chosen(source, source.test, spec.test, spec, "test", stream=1)
    train_inputs, test_inputs = source.train.read(train), source.test.read(test)
    if not source.drawn:
        statistics = channel_statistics(train_inputs)
        train_inputs, test_inputs = normalize(train_inputs, *statistics), normalize(test_inputs, *statistics)
    return Dataset(
        train_inputs,
        source.train.labels[train],
        test_inputs,
        source.test.labels[test],
        source.classes,
        train_indices=train,
        test_indices=test,
        train_total=len(source.train.labels),
        test_total=len(source.test.labels),
    )


def _chosen(source: Source, split: Split, asked: int | None, spec: Data, name: str, *, stream: int) -> Indices:
    if source.drawn:
        return np.arange(len(split.labels))
    count = checked_count(asked, len(split.labels), spec.kind, name)
    return stratified_order(split.labels, spec.seed, stream)[:count]
