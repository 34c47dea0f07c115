"""What identifies a file of labels."""

from pathlib import Path

from linstudy.data.content import file_hash
from linstudy.spec.errors import LinstudyError
from linstudy.spec.task import ColumnTask


def task_source(spec: ColumnTask) -> str:
    """SHA-256 of the file.

    Raises:
        LinstudyError: If it cannot be read.
    """
    path = Path(spec.path).expanduser()
    try:
        return file_hash(path)
    except OSError as error:
        raise LinstudyError(f"task.path {path}: cannot be read: {error.strerror}") from None
