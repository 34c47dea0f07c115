"""Rows into panels."""

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from linstudy.report.asking import Rows
from linstudy.report.style import NAMES


def groups(rows: Rows, keys: Sequence[str]) -> dict[tuple[Any, ...], Rows]:
    """Rows by the values of some columns, in order of first appearance."""
    found: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def column(rows: Rows, name: str) -> list[Any]:
    """One column."""
    return [row[name] for row in rows]


def setting(row: dict[str, Any]) -> str:
    """A panel's model and data, and the variant of the study, cut short where it is long."""
    variant = f" [{shorten(row['variant'], 24, placeholder='…')}]" if row["variant"] else ""
    return f"{NAMES.get(row['model_kind'], row['model_kind'])}, {row['data_kind']}{variant}"
