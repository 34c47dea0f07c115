"""What is measured on a training's checkpoints."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from linstudy.spec.base import Spec
from linstudy.spec.spectrum import BYTES_PER_PAIR, BYTES_PER_PAIR_OF_VALUES, Kernel

Count = Annotated[int, Field(ge=1)]
Epoch = Annotated[int, Field(ge=0)]
Moment = Literal["start", "end"] | Epoch


class Probe(Spec):
    """A measurement at chosen epochs: those of `at`, and every `every`-th from 0 with the last.

    Attributes:
        needs: The kinds of the runs that it measures with, beside its training.
    """

    outside: ClassVar[frozenset[str]] = frozenset({"at", "every", "label"})  # a run has its epochs resolved
    needs: ClassVar[tuple[str, ...]] = ()

    at: tuple[Moment, ...] = ()
    every: Count | None = None
    label: str = Field(default="", description="Tells two probes of one kind apart.")

    @model_validator(mode="after")
    def _has_epochs(self) -> Self:
        if not self.at and self.every is None:
            raise ValueError("a probe needs epochs: at: [start, end, 40], every: 10, or both")
        return self

    def epochs(self, last: int) -> tuple[int, ...]:
        """The epochs meant, in order, for a training of `last` epochs."""
        named = {"start": 0, "end": last}
        chosen = {named[moment] if isinstance(moment, str) else moment for moment in self.at}
        if self.every is not None:
            chosen |= {*range(0, last + 1, self.every), last}
        return tuple(sorted(chosen))


class AlignmentProbe(Probe):
    """α(φ_j) under the NTK at the epoch, for the first eigenvectors φ_j of the NTK at initialization; α of labels."""

    needs: ClassVar[tuple[str, ...]] = ("spectrum",)

    kind: Literal["alignment"]
    top: Count | None = Field(
        default=None, description="How many eigenvectors; all that the spectrum keeps when left out."
    )


class GramProbe(Probe):
    """A probe of the Gram of the first training samples: of the NTK at the epoch, or of infinitely wide networks.

    Attributes:
        bytes_per_pair: Of samples, in memory, if the Gram is decomposed fully; 0 if it is not.
    """

    bytes_per_pair: ClassVar[int] = 0

    samples: Count | None = Field(default=None, description="How many; all training samples when left out.")
    kernel: Kernel = Field(default="empirical", description="infinite_width: that of infinitely wide networks.")


class EnergyConcentrationProbe(GramProbe):
    """‖Φ_K y‖ / ‖y‖: how much of the labels lies on the Gram's first K eigenvectors."""

    kind: Literal["energy_concentration"]
    top: Count = Field(default=50, description="K")


class SpectrumSummaryProbe(GramProbe):
    """The Gram's eigenvalues, their sum, the largest and the effective rank."""

    kind: Literal["spectrum_summary"]
    bytes_per_pair: ClassVar[int] = BYTES_PER_PAIR_OF_VALUES


class RkhsNormProbe(GramProbe):
    """yᵀΘ⁻¹y of the labels, its lower bound of Lemma 1, and the generalization bound of the paper's equation 2."""

    kind: Literal["rkhs_norm"]
    bytes_per_pair: ClassVar[int] = BYTES_PER_PAIR
    cutoff: float = Field(default=1e-6, gt=0, lt=1, description="Eigenvalues under cutoff·λ_1 are left out.")


AnyProbe = Annotated[
    AlignmentProbe | EnergyConcentrationProbe | SpectrumSummaryProbe | RkhsNormProbe, Field(discriminator="kind")
]
