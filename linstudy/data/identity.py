"""The identity of the bytes behind a data spec."""

from linstudy.data.kinds import KINDS
from linstudy.data.places import HERE, Places
from linstudy.spec.data import Data


def source_identity(spec: Data, places: Places = HERE) -> str:
    """What a run's id must say of its data beyond the spec, without loading an array.

    A constant for embedded and published sets, a hash of the contents of folders and files wherever they lie,
    nothing for draws.
    """
    return KINDS[spec.kind].identity(spec, places)
