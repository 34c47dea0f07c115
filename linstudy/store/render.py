"""A query's result as text."""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from linstudy.store.query import Result

if TYPE_CHECKING:
    from rich.table import Table


def render(result: Result, format: str, stream: TextIO = sys.stdout) -> None:
    """Write `result` to `stream` in one of `FORMATS`."""
    FORMATS[format](result, stream)


def _write_table(result: Result, stream: TextIO) -> None:
    if stream.isatty():
        _write_rich_table(result, stream)
    else:
        _write_plain_table(result, stream)


def _write_rich_table(result: Result, stream: TextIO) -> None:
    """A grid where it fits the terminal, else a block of lines a row; no cell is ever cut."""
    from rich.console import Console

    console = Console(file=stream)
    cells = [[_cell(value) for value in row] for row in result.rows]
    if _grid_width(result.columns, cells) <= console.width:
        console.print(_grid(result, cells))
    else:
        _write_blocks(result.columns, cells, stream)
    stream.write(_count(result) + "\n")


def _grid(result: Result, cells: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name, numeric in zip(result.columns, _numeric(result), strict=True):
        table.add_column(Text(name), justify="right" if numeric else "left", no_wrap=True)
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _grid_width(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """What rich needs: two spaces and a line around every column."""
    from rich.cells import cell_len

    return 1 + sum(3 + max(map(cell_len, column)) for column in zip(columns, *cells, strict=True))


def _write_blocks(columns: Sequence[str], cells: Sequence[Sequence[str]], stream: TextIO) -> None:
    width = max(map(len, columns))
    for number, row in enumerate(cells, start=1):
        stream.write(f"row {number}\n")
        stream.writelines(f"  {name:<{width}}  {cell}\n" for name, cell in zip(columns, row, strict=True))


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
