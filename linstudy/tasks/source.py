"""What identifies a file of labels."""

from linstudy.data.content import file_hash
from linstudy.data.places import Places
from linstudy.spec.task import ColumnTask


def task_source(spec: ColumnTask, places: Places) -> str:
    """SHA-256 of the file.

    Raises:
        DataError: If it is missing or cannot be read.
    """
    return file_hash(places.resolve(spec.path))
