"""What identifies a file of labels."""

from collections.abc import Callable

from linstudy.data.content import file_hash
from linstudy.data.places import Places
from linstudy.spec.task import ColumnTask, Task


def task_source(spec: Task, places: Places) -> str:
    """What the labels of a task depend on beyond its spec; nothing for most kinds.

    Raises:
        DataError: If a file is missing or cannot be read.
    """
    return SOURCES[spec.kind](spec, places) if spec.kind in SOURCES else ""


def _column(spec: ColumnTask, places: Places) -> str:
    return file_hash(places.resolve(spec.path))


SOURCES: dict[str, Callable[..., str]] = {"column": _column}
"""The kinds of task whose content lies outside the study."""
