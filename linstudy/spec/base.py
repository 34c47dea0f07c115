"""What every spec class shares."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen piece of a study: unknown fields and lossy conversions are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
