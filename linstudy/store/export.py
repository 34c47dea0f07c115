"""A query's answer, on the terminal or in a file."""

import sys
from contextlib import nullcontext
from io import TextIOWrapper
from pathlib import Path

from linstudy.store.files import output
from linstudy.store.query import QueryError, export_parquet, query
from linstudy.store.render import FORMATS as TEXT_FORMATS
from linstudy.store.render import render

PARQUET = "parquet"
FORMATS = (*TEXT_FORMATS, PARQUET)
SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": PARQUET}


def read_sql(text: str) -> str:
    """The SQL itself, or that in the file of a name that ends in `.sql`.

    Raises:
        QueryError: If the file cannot be read.
    """
    if not text.lower().endswith(".sql"):
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except OSError as error:
        raise QueryError(f"{text}: this file of SQL cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise QueryError(f"{text}: this file of SQL is not UTF-8 ({error.reason} at byte {error.start})") from error


def choose_format(name: str | None, out: Path | None) -> str:
    """The format that is named, else that of the file's suffix, else a table.

    Raises:
        QueryError: If the suffix is that of no format, or the format is none for a terminal.
    """
    if name is None and out is not None and out.suffix.lower() not in SUFFIXES:
        raise QueryError(
            f'--out {out}: no format has the suffix "{out.suffix}". '
            f"Allowed: {', '.join(SUFFIXES)}; or name a --format: {', '.join(FORMATS)}"
        )
    chosen = name or (SUFFIXES[out.suffix.lower()] if out is not None else "table")
    if chosen == PARQUET and out is None and sys.stdout.isatty():
        raise QueryError("Parquet is no text for a terminal. Name a file with --out, or send it on with > or |")
    return chosen


def export(results: Path, sql: str, format: str, out: Path | None) -> None:
    """Write the answer to standard output, or to a file, which is replaced whole or stays as it was.

    Raises:
        QueryError: If the SQL is wrong.
        LinstudyError: If the file cannot be written.
    """
    with nullcontext(sys.stdout.buffer) if out is None else output(out, "result.csv") as stream:
        if format == PARQUET:
            export_parquet(results, sql, stream)
        elif out is None:
            render(query(results, sql), format, sys.stdout)
        else:
            with TextIOWrapper(stream, encoding="utf-8", write_through=True) as text:
                render(query(results, sql), format, text)
