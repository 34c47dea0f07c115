"""Rows into panels."""

from collections.abc import Sequence
from typing import Any

from linstudy.report.asking import Rows


def groups(rows: Rows, keys: Sequence[str]) -> dict[tuple[Any, ...], Rows]:
    """Rows by the values of some columns, in order of first appearance."""
    found: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def column(rows: Rows, name: str) -> list[Any]:
    """One column."""
    return [row[name] for row in rows]
