"""A query's result as text."""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TextIO

from linstudy.store.query import Result


def render(result: Result, format: str, stream: TextIO = sys.stdout) -> None:
    """Write `result` to `stream` in one of `FORMATS`."""
    FORMATS[format](result, stream)


def _write_table(result: Result, stream: TextIO) -> None:
    if stream.isatty():
        _write_rich_table(result, stream)
    else:
        _write_plain_table(result, stream)


def _write_rich_table(result: Result, stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name, numeric in zip(result.columns, _numeric(result), strict=True):
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in result.rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console = Console(file=stream)
    console.print(table)
    console.print(Text(_count(result)))


def _write_plain_table(result: Result, stream: TextIO) -> None:
    rows = [list(result.columns), *([_cell(value) for value in row] for row in result.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numeric = _numeric(result)
    for row in rows:
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        stream.write("  ".join(cells).rstrip() + "\n")
    stream.write(_count(result) + "\n")


def _write_csv(result: Result, stream: TextIO) -> None:
    for row in (result.columns, *result.rows):
        stream.write(",".join(map(_csv_cell, row)) + "\n")


def _write_json(result: Result, stream: TextIO) -> None:
    rows = [dict(zip(result.columns, map(_json_value, row), strict=True)) for row in result.rows]
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    stream.write("[\n" + ",\n".join(lines) + "\n]\n" if rows else "[]\n")


FORMATS: dict[str, Callable[[Result, TextIO], None]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
}


def _numeric(result: Result) -> list[bool]:
    return [
        any(_is_number(row[column]) for row in result.rows)
        and all(row[column] is None or _is_number(row[column]) for row in result.rows)
        for column in range(len(result.columns))
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _count(result: Result) -> str:
    return f"{len(result.rows)} row" + ("" if len(result.rows) == 1 else "s")


def _cell(value: object) -> str:
    """One line for people: six digits."""
    if value is None:
        return "NULL"
    text = f"{value:.6g}" if isinstance(value, float) else _text(value)
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _csv_cell(value: object) -> str:
    """An empty field is NULL, a quoted empty one an empty text, as DuckDB writes them."""
    if value is None:
        return ""
    text = _text(value)
    quoted = not text or any(character in text for character in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(_json_value(value), ensure_ascii=False, allow_nan=False)
    return value.hex() if isinstance(value, bytes) else str(value)


def _json_value(value: Any) -> Any:
    """What JSON has a form for; NaN and infinities have none and become null."""
    if isinstance(value, Mapping):
        return {_text(key): _json_value(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_json_value(entry) for entry in value]
    if isinstance(value, (float, Decimal)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return value if value is None or isinstance(value, (str, bool, int)) else _text(value)
