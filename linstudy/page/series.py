"""Curves over epochs and spectra over j, as many points of each as a page has room for."""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from linstudy.store.query import Ask
from linstudy.store.quoting import literal

MOST_NUMBERS = 2_000_000
"""Numbers of all curves and spectra of a page: at five digits and a space each about 15 MB."""

POINTS = (2000, 1000, 500, 250, 120, 60, 30, 16)
"""How many points a curve or spectrum may have: the first of these with which all have room."""

DIGITS = 5
"""Significant digits of the numbers in curves and spectra."""


@dataclass(frozen=True)
class Source:
    """A view whose rows are points.

    Attributes:
        table: What the view is made of.
        x: The column that is x.
        at_epoch: The one that tells the series of one run and metric apart.
        which: A condition: which rows are points.
    """

    view: str
    table: str
    x: str
    at_epoch: str
    which: str


CURVES = Source("curves", "metric", "epoch", "NULL", "epoch IS NOT NULL")
SPECTRA = Source("spectra", "vector", "j", "epoch", "true")


def thinning() -> str:
    """The SQL whose relation `drawn` has the kept points, with words in braces to be replaced."""
    text = files("linstudy.page").joinpath("series.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.rstrip().splitlines() if not line.startswith("--"))


def choose_points(ask: Ask, which: str) -> int:
    """How many points each may have, so that those of some runs have room.

    Args:
        which: A condition on `run_id`: which runs.
    """
    lengths = ask(f"""SELECT points, sum(runs), count(*) FROM (
        SELECT coalesce(setting_id, run_id) AS setting, name, label, split, at_epoch, points, count(*) AS runs
        FROM (
            SELECT run_id, name, label, split, -1 AS at_epoch, count(*) AS points
            FROM metric WHERE epoch IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT run_id, name, label, split, epoch, len(value) FROM vector
        ) JOIN run USING (run_id)
        WHERE {which} GROUP BY ALL
    ) GROUP BY points""").rows

    def numbers(most: int) -> int:
        # A series that is thinned has x of its own, which the runs of its setting share.
        return sum(
            min(points, most) * (series + (settings if points > most else 0)) for points, series, settings in lengths
        )

    return next((most for most in POINTS if numbers(most) <= MOST_NUMBERS), POINTS[-1])


def read_series(ask: Ask, source: Source, places: dict[str, int], which: str, most: int) -> list[dict[str, Any]]:
    """The kept points of some runs, by metric.

    Args:
        places: The place of each run on the page.
        which: As in `choose_points`.

    Returns:
        Of each metric its distinct lists of x, and columns with an entry for each series: the run, the epoch (-1 for
        none), how many points its setting has with those left out, the number of its list of x, and its values. Lists
        of numbers are texts with spaces between them; there is nothing where a number was not finite.
    """
    found = []
    for metric in ask(f"SELECT DISTINCT name, label, split FROM {source.table} WHERE {source.which} ORDER BY ALL").rows:
        # One metric at a time: all of them at once take ten times the memory.
        rows = ask(_packed(source, metric, which, most)).rows
        if rows:
            found.append({**dict(zip(_METRIC, metric, strict=True)), **_pack(rows, places)})
    return found


_METRIC = ("name", "label", "split")


def _pack(rows: list[tuple[Any, ...]], places: dict[str, int]) -> dict[str, Any]:
    xs: dict[str, int] = {}
    packed = [
        (places[run_id], at_epoch, points, xs.setdefault(x, len(xs)), values)
        for run_id, at_epoch, points, x, values in rows
    ]
    names = ("run", "at_epoch", "points", "x", "values")
    return {"xs": list(xs), **dict(zip(names, zip(*packed, strict=True), strict=True))}


def _packed(source: Source, metric: tuple[str, ...], which: str, most: int) -> str:
    """0.5 is written .5, which is a tenth of a page."""
    of = " AND ".join(f"{column} = {literal(text)}" for column, text in zip(_METRIC, metric, strict=True))
    words = {**vars(source), "which": f"{source.which} AND {of}", "most": str(most)}
    return f"""{_fill(thinning(), words)}
SELECT
    run_id, at_epoch, points,
    string_agg(CAST(x AS VARCHAR), ' ' ORDER BY x),
    replace(' ' || string_agg(coalesce(format('{{:.{DIGITS}g}}', value), ''), ' ' ORDER BY x), ' 0.', ' .')[2:]
FROM drawn
WHERE {which}
GROUP BY ALL ORDER BY ALL"""


def _fill(text: str, words: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], text)
