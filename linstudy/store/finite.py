"""Numbers as they are stored: what is not finite is NULL, so that no query takes it for the largest number."""

import math
from collections.abc import Sequence

import numpy as np


def finite(value: float) -> float | None:
    """The number, or None for NaN and infinities."""
    return value if math.isfinite(value) else None


def finite_entries(values: Sequence[float] | np.ndarray) -> list[float | None]:
    """As `finite`, of every entry, in float64."""
    array = np.asarray(values, dtype=np.float64)
    known = np.isfinite(array)
    if known.all():
        return array.tolist()
    return [value if is_finite else None for value, is_finite in zip(array.tolist(), known.tolist(), strict=True)]
