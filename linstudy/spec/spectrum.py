"""How the spectrum of an NTK Gram is taken."""

from typing import Annotated, Literal

from pydantic import Field

from linstudy.spec.base import Spec
from linstudy.spec.train import Precision


class Spectrum(Spec):
    """The eigendecomposition over the training samples, then the test samples."""

    top: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Eigenvectors kept; the smaller of 1,000 and the number of samples when left out."
    )
    kernel: Literal["empirical", "infinite_width"] = "empirical"
    precision: Precision = Field(default="float32", description="Of the Gram; its decomposition is always float64.")
