"""Data sets as arrays.

What planning needs (`KINDS`, `sizes`, `input_shape`, `source_identity`) is imported with the room; `load` and
`Dataset` bring NumPy and are imported when first used.
"""

from typing import TYPE_CHECKING

from linstudy.data.errors import DataError
from linstudy.data.identity import source_identity
from linstudy.data.kinds import KINDS, input_shape, sizes
from linstudy.data.places import Places

if TYPE_CHECKING:
    from linstudy.data.dataset import Dataset, load

__all__ = ["KINDS", "DataError", "Dataset", "Places", "input_shape", "load", "sizes", "source_identity"]


def __getattr__(name: str) -> object:
    if name not in ("Dataset", "load"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from linstudy.data import dataset

    return getattr(dataset, name)
