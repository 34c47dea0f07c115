"""Names and texts inside generated SQL."""

import os
from pathlib import Path

from linstudy.spec.errors import LinstudyError


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def path_literal(path: Path) -> str:
    """`path` as a SQL string, absolute: DuckDB takes the start of `exp:1/results.duckdb` for an extension.

    Raises:
        LinstudyError: If DuckDB cannot open a file of that name.
    """
    try:
        text = os.fsencode(path.absolute()).decode()
    except UnicodeDecodeError as error:
        raise LinstudyError(f"{path}: this path is not UTF-8, which DuckDB needs. Rename the folder") from error
    if "?" in text:  # its log would be another folder's file: `a?b/c` gets the log `a.wal?b/c`
        raise LinstudyError(f"{path}: DuckDB cannot write in a folder with ? in its path. Rename the folder")
    return literal(text)
