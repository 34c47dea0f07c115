"""Which labels a run learns."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from linstudy.spec.base import Spec

Index = Annotated[int, Field(ge=1)]


class Labelling(Spec):
    """What labels a run's data.

    Attributes:
        makes_inputs: Whether its inputs are not those of the data: a spectrum is then one of this task's inputs.
        needs: The kinds of the runs that the labels come from.
    """

    makes_inputs: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()


class BinaryClassesTask(Labelling):
    """+1 for some classes of the data, −1 for the others."""

    kind: Literal["binary_classes"]
    positive: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = Field(
        default=None, description="Classes labelled +1; the first half when left out."
    )


class EigenfunctionTask(Labelling):
    """sign φ_j of the NTK at initialization, over training and test samples together."""

    needs: ClassVar[tuple[str, ...]] = ("spectrum",)

    kind: Literal["eigenfunction"]
    index: Index = Field(description="j, counted from 1 in order of decreasing eigenvalue.")


class DirectionTask(Labelling):
    """x = margin·y·u + w with w ~ N(0, I − uuᵀ): a linear predictor along one direction u."""

    makes_inputs: ClassVar[bool] = True

    margin: float = Field(default=1.0, gt=0, description="ε of the paper's appendix C.")


class NadTask(DirectionTask):
    """A linear predictor along the j-th neural anisotropy direction at initialization."""

    needs: ClassVar[tuple[str, ...]] = ("nads",)

    kind: Literal["nad"]
    index: Index = Field(description="j, counted from 1 in order of decreasing singular value.")


class LinearPredictorTask(DirectionTask):
    """A linear predictor along a given direction."""

    kind: Literal["linear_predictor"]
    direction: Annotated[tuple[float, ...], Field(min_length=1)] = Field(
        description="u, one number an input in flattened order; scaled to length 1."
    )

    @model_validator(mode="after")
    def _has_a_direction(self) -> Self:
        if not any(self.direction):
            raise ValueError("direction is zero: it needs at least one entry other than 0")
        return self


class RandomLabelsTask(Labelling):
    """Fair coin flips."""

    kind: Literal["random_labels"]
    seed: Annotated[int, Field(ge=0)] = 0


class ColumnTask(Labelling):
    """Labels from a `.npy` or one-column text file: ±1 for every sample of the data, in the data's own order.

    First the whole training split, then the whole test split, however few of their samples the run takes.
    """

    outside: ClassVar[frozenset[str]] = frozenset({"path"})

    kind: Literal["column"]
    path: str


Task = Annotated[
    BinaryClassesTask | EigenfunctionTask | NadTask | LinearPredictorTask | RandomLabelsTask | ColumnTask,
    Field(discriminator="kind"),
]
