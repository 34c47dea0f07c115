"""What every spec class shares."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen piece of a study: unknown fields and lossy conversions are errors.

    Attributes:
        outside: Fields outside the identity: where something lies, what it is called, what another field says.
    """

    outside: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
