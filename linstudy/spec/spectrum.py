"""How the spectrum of an NTK Gram is taken."""

from typing import Annotated, Literal

from pydantic import Field

from linstudy.spec.base import Spec
from linstudy.spec.train import Precision

BYTES_PER_PAIR = 24
"""Of samples, in memory, while all eigenpairs of a Gram are computed: in float64 the matrix, of which the eigenvectors
are made, and LAPACK's workspace of twice its size."""

BYTES_PER_PAIR_OF_VALUES = 8
"""The same for eigenvalues alone."""

FULL_BYTES = 2**35
"""For a full decomposition. A larger one is refused: it takes many hours, more memory than most machines have, and
says little that fewer samples do not."""


class Spectrum(Spec):
    """The eigendecomposition over the training samples, then the test samples."""

    top: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Eigenvectors kept; the smaller of 1,000 and the number of samples when left out."
    )
    kernel: Literal["empirical", "infinite_width"] = "empirical"
    precision: Precision = Field(default="float32", description="Of the Gram; its decomposition is always float64.")
