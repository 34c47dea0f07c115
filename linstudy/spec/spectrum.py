"""How the spectrum of an NTK Gram is taken."""

from typing import Annotated, Literal

from pydantic import Field

from linstudy.spec.base import Spec
from linstudy.spec.train import Precision

Kernel = Literal["empirical", "infinite_width"]

BYTES_PER_PAIR = 24
"""Of samples, in memory, while all eigenpairs of a Gram are computed: in float64 the matrix, of which the eigenvectors
are made, and LAPACK's workspace of twice its size."""

BYTES_PER_PAIR_OF_VALUES = 8
"""The same for eigenvalues alone."""

FULL_BYTES = 2**35
"""For a full decomposition. A larger one is refused: it takes many hours, more memory than most machines have, and
says little that fewer samples do not."""

DEFAULT_TOP = 1000

ALL_KEPT = 1500
"""Samples up to which every eigenvector is stored, 18 MB at most. All are computed there whatever `top` says, so that
it changes neither their bits nor the runs that need them. Of more samples the j-th pair depends on `top` by rounding,
which can turn the sign of an entry near 0: a training on it is then another one."""


class Spectrum(Spec):
    """The eigendecomposition over the training samples, then the test samples."""

    top: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Eigenvectors that can be named; the smaller of 1,000 and the number of samples when left out.",
    )
    kernel: Kernel = "empirical"
    precision: Precision = Field(default="float32", description="Of the Gram; its decomposition is always float64.")

    @property
    def has_seed(self) -> bool:
        """Whether it depends on an initialization."""
        return self.kernel != "infinite_width"

    def named(self, samples: int | None) -> int:
        """How many eigenvectors a task or a probe can name, as far as is known."""
        top = self.top or DEFAULT_TOP
        return top if samples is None else min(top, samples)

    def kept(self, samples: int | None) -> int:
        """How many eigenvectors are stored."""
        return samples if samples is not None and samples <= ALL_KEPT else self.named(samples)
