"""What identifies a file of labels."""

from collections.abc import Callable
from pathlib import Path

from linstudy.data.content import file_hash
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import ColumnTask, Task


def task_source(spec: Task) -> str:
    """What the labels of a task depend on beyond its spec; nothing for most kinds.

    Raises:
        LinstudyError: If a file cannot be read.
    """
    return SOURCES[spec.kind](spec) if spec.kind in SOURCES else ""


def _column(spec: ColumnTask) -> str:
    path = Path(spec.path).expanduser()
    try:
        return file_hash(path)
    except OSError as error:
        raise LinstudyError(f"task.path {path}: cannot be read: {error.strerror}") from None


SOURCES: dict[str, Callable[..., str]] = {"column": _column}
"""The kinds of task whose content lies outside the study."""
