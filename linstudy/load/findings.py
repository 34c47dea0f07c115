"""What runs leave as arrays."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int, Shaped

from linstudy.load.samples import Samples


class SampleOrder(NamedTuple):
    """Which sample stands where.

    Attributes:
        split: "train" or "test".
        index: Position in that split of the source.
    """

    split: Shaped[np.ndarray, " samples"]
    index: Int[np.ndarray, " samples"]


@final
@dataclass(frozen=True, eq=False)
class StoredSpectrum:
    """Eigenpairs of the NTK Gram at initialization, over training and test samples, eigenvalues decreasing.

    Attributes:
        eigenvalues: λ_j of the Gram Θ itself, which is not divided by the number of samples.
        eigenvectors: φ_j, one a row, of unit norm, the entry of largest magnitude positive. Column k is sample k of
            `run.data().inputs`: the training samples, then the test samples.
        gaps: Distance of λ_j to its nearest neighbour, over λ_j; where it is small, φ_j is defined up to a rotation.
        residuals: ‖Θφ_j − λ_jφ_j‖₂ / λ_1.
    """

    eigenvalues: Float64[np.ndarray, " top"]
    eigenvectors: Float64[np.ndarray, "top samples"]
    gaps: Float64[np.ndarray, " top"]
    residuals: Float64[np.ndarray, " top"]
    load_samples: Callable[[], Samples] = field(repr=False)

    @property
    def order(self) -> SampleOrder:
        """The sample of each column. This loads the data, and checks them."""
        samples = self.load_samples()
        splits = np.repeat(["train", "test"], [len(samples.train_indices), len(samples.test_indices)])
        return SampleOrder(splits, np.concatenate([samples.train_indices, samples.test_indices]))
