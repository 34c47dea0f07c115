"""Rows into panels."""

from collections.abc import Callable
from textwrap import fill, shorten
from typing import Any

from linstudy.report.question import Rows


def groups(rows: Rows, key: Callable[[dict[str, Any]], Any]) -> dict[Any, Rows]:
    """Rows by a key, in order of first appearance."""
    found: dict[Any, Rows] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def column(rows: Rows, name: str) -> list[Any]:
    """One column."""
    return [row[name] for row in rows]


def network_of(row: dict[str, Any]) -> tuple[str, str, str]:
    """What a row's panel is of: its study, the variant, and how its network differs from the others that are shown."""
    return row["study"], row["variant"], row["setting"]["network"]


def title(row: dict[str, Any], differences: str, width: int) -> str:
    """The kinds of a setting's model and data, then its differences; the variant of its study, cut short."""
    kinds = [kind for name in ("model_kind", "data_kind") if (kind := row["setting"][name])]
    words = [word.replace(" ", "\N{NO-BREAK SPACE}") for word in differences.split(", ") if word not in ("", *kinds)]
    variant = f" [{shorten(row['variant'], 24, placeholder='…')}]" if row["variant"] else ""
    return fill(", ".join([*kinds, *words]) + variant, width)


def left_out_note(rows: Rows) -> str:
    """How many runs, or pairs of runs, rows leave out; empty if none."""
    count = sum(row["left_out"] or 0 for row in rows)
    return f"{count} left out" if count else ""


def seeds_note(rows: Rows) -> str:
    """How many seeds a panel's rows are of, and how many of its runs are not drawn, as a line under its title."""
    counts = [row["seeds"] for row in rows if row["seeds"]]
    low, high = min(counts, default=0), max(counts, default=0)
    seeds = f"{low} seed{'' if high == 1 else 's'}" if low == high else f"{low} to {high} seeds"
    note = left_out_note(rows)
    return f"\n{seeds}" + (f", {note}" if note else "")
