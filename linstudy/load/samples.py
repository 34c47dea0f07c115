"""The samples that a run saw."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int, Shaped


@final
@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    """Inputs and labels of both splits, in the order in which the run had them, as NumPy arrays of its precision.

    Attributes:
        train_inputs: Channels first, normalized by the mean and deviation of each channel over these training samples;
            of a task that makes its inputs, as it made them.
        train_labels: +1 or −1 of the run's task; the classes, from 0, of a run that sees no task's labels.
        test_inputs: Normalized as the training samples are.
        test_labels: As `train_labels`.
        train_indices: Position of each training sample in the training split of the source.
        test_indices: Position of each test sample in the test split of the source.
    """

    train_inputs: Float[np.ndarray, "train *shape"]
    train_labels: Shaped[np.ndarray, " train"]
    test_inputs: Float[np.ndarray, "test *shape"]
    test_labels: Shaped[np.ndarray, " test"]
    train_indices: Int[np.ndarray, " train"]
    test_indices: Int[np.ndarray, " test"]

    @property
    def inputs(self) -> Float[np.ndarray, "samples *shape"]:
        """The training samples, then the test samples: the order of a spectrum."""
        return np.concatenate([self.train_inputs, self.test_inputs])

    @property
    def labels(self) -> Shaped[np.ndarray, " samples"]:
        """Those of `inputs`."""
        return np.concatenate([self.train_labels, self.test_labels])

    def __repr__(self) -> str:
        train, test = self.train_inputs, self.test_inputs
        return f"{len(train)} training and {len(test)} test samples of shape {train.shape[1:]}, {train.dtype}"
