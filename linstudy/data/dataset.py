"""From a data spec to arrays."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from linstudy.data.kinds import KINDS
from linstudy.data.normalize import channel_statistics, normalize
from linstudy.data.source import Inputs, Labels, Source, Split
from linstudy.data.subsets import checked_count, stratified_order
from linstudy.spec.data import Data


@dataclass(frozen=True, eq=False)
class Dataset:
    """The samples of a run, in data order: the first n of a split are a stratified subset of it.

    Attributes:
        train_inputs: Channel-first images or vectors, normalized by their own mean and deviation.
        train_labels: Class of each training sample, from 0.
        test_inputs: Normalized as the training samples are.
        test_labels: Class of each test sample.
        classes: Names of the classes, by label; empty for draws.
    """

    train_inputs: Float32[np.ndarray, "train *shape"]
    train_labels: Int64[np.ndarray, " train"]
    test_inputs: Float32[np.ndarray, "test *shape"]
    test_labels: Int64[np.ndarray, " test"]
    classes: tuple[str, ...]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the shapes, types and bytes of the four arrays."""
        digest = hashlib.sha256()
        for array in (self.train_inputs, self.train_labels, self.test_inputs, self.test_labels):
            digest.update(f"{array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load(spec: Data, folder: Path | None = None) -> Dataset:
    """The data set of a spec.

    Args:
        folder: The data folder, where published archives and relative paths are looked for; the platform's cache if
            None. What is published and found in neither is downloaded.

    Raises:
        DataError: If the data are missing, damaged, or fewer than asked for.
    """
    source: Source = import_module(f"linstudy.data.{KINDS[spec.kind].module}").open_source(spec, folder)
    if source.drawn:
        return Dataset(*_all(source.train), *_all(source.test), source.classes)
    train_inputs, train_labels = _choose(source.train, spec.train, spec, "train", stream=0)
    test_inputs, test_labels = _choose(source.test, spec.test, spec, "test", stream=1)
    statistics = channel_statistics(train_inputs)
    return Dataset(
        normalize(train_inputs, *statistics),
        train_labels,
        normalize(test_inputs, *statistics),
        test_labels,
        source.classes,
    )


def _all(split: Split) -> tuple[Inputs, Labels]:
    return split.read(np.arange(len(split.labels))), split.labels


def _choose(split: Split, asked: int | None, spec: Data, name: str, *, stream: int) -> tuple[Inputs, Labels]:
    count = checked_count(asked, len(split.labels), spec.kind, name)
    chosen = stratified_order(split.labels, spec.seed, stream)[:count]
    return split.read(chosen), split.labels[chosen]
