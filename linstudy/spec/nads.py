"""Where the neural anisotropy directions are taken."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from linstudy.spec.base import Spec

DEFAULT_SAMPLES = 1000


class Nads(Spec):
    """The inputs over which the mixed derivative is averaged whose singular vectors are the NADs."""

    at: Literal["origin", "data"] = Field(
        default="origin", description="The origin, as in the paper, or the first training samples."
    )
    samples: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="How many of the data; the smaller of 1,000 and all of them when left out."
    )

    @model_validator(mode="after")
    def _has_samples_of_the_data_alone(self) -> Self:
        if self.samples is not None and self.at == "origin":
            raise ValueError("samples are those of the data, and at is origin. Write at: data, or leave samples out")
        return self
