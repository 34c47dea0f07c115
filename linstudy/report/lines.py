"""Curves over one axis, which is what most figures are: everything comes from the rows and the notes of a query."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from linstudy.report.panels import column, groups, seeds_note, title
from linstudy.report.question import Rows
from linstudy.report.style import LINES

TITLE_WIDTH = 40
"""Characters over a panel."""

ACROSS = 3
"""Panels in a line where there is one quantity."""

FEW_DECADES = 2.7
"""Of an axis whose ticks are told in full."""

MANY_POINTS = 40
"""Points of a curve that are no longer marked."""


def draw(rows: Rows, notes: Mapping[str, str]) -> Figure:
    """A panel for each network and each `facet`, in it a curve y(x) for each `line`.

    Args:
        rows: With `line`, `x` and `y`; the band from `low` to `high`, a `facet` that names another y axis, and
            `hollow`, true for points that are bounds of what was not reached, where there are such columns. A row
            without x is a dashed line across its panel.
        notes: `x` and `y` are the names of the axes; `scale` lists those that are not linear: `log x, log y`,
            `symlog x` where there is a 0, and `log FACET`. `style: points` leaves out the lines between them.
    """
    panels, facets = groups(rows, _network), groups(rows, _facet)
    known = [(network, facet) for network in panels for facet in facets]
    across = len(facets) if len(facets) > 1 else min(len(panels), ACROSS)
    down = -(-len(known) // across)
    figure = Figure(figsize=(3.1 * across + 0.4, 2.7 * down + 0.5), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharey="col" if len(facets) > 1 else "all")
    colours = _colours(rows)
    for panel, (network, facet) in zip(axes.flat, known, strict=False):
        shown = [row for row in panels[network] if _facet(row) == facet]
        for line, points in groups(shown, lambda row: row["line"]).items():
            _curve(panel, points, colours[line], joined=notes.get("style") != "points")
        panel.set(xlabel=notes.get("x", "x"), **_scales(notes, facet, shown))
        _ticks(panel, shown)
        panel.set_title(title(panels[network][0], ", ".join(network[2:]), TITLE_WIDTH) + seeds_note(shown), fontsize=8)
        if len(facets) > 1 or panel.get_subplotspec().is_first_col():
            panel.set_ylabel(facet or notes.get("y", "y"))
    for panel in axes.flat[len(known) :]:
        panel.set_visible(False)
    handles = [Line2D([], [], marker=".", color=colour, label=line) for line, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 2 * across))
    return figure


def _network(row: dict[str, Any]) -> tuple[str, ...]:
    """What a row's panel is of, beside its facet: all that is neither an axis nor a line of the figure."""
    setting = row["setting"]
    return row["study"], row["variant"], *(words for name in ("network", "target") if (words := setting[name]))


def _facet(row: dict[str, Any]) -> str:
    return row.get("facet") or ""


def _colours(rows: Rows) -> dict[str, str]:
    """One for each line, the same in all panels and, for the lines that many figures have, in all figures."""
    names = list(groups(rows, lambda row: row["line"]))
    others = [name for name in names if name not in LINES]
    return {name: LINES.get(name) or f"C{2 + others.index(name) % 8}" for name in names}


def _scales(notes: Mapping[str, str], facet: str, rows: Rows) -> dict[str, str]:
    """What is not linear and has something to show: `kind x`, `kind y`, or `kind FACET` for the y axis of one facet."""
    words = [word.strip().partition(" ") for word in notes.get("scale", "").split(",") if word.strip()]
    kinds = {axis: kind for kind, _, axis in words}
    asked = {"x": kinds.get("x", "linear"), "y": kinds.get("y") or kinds.get(facet, "linear")}
    shown = {axis: any(row[axis] is not None and row[axis] > 0 for row in rows) for axis in asked}
    return {f"{axis}scale": kind if shown[axis] else "linear" for axis, kind in asked.items()}


def _ticks(panel: Axes, rows: Rows) -> None:
    """1, 2 and 5 of each power of ten where an axis spans few; the points themselves where there is a 0 among them."""
    for name, axis in (("x", panel.xaxis), ("y", panel.yaxis)):
        if axis.get_scale() == "log" and _decades(row[name] for row in rows) < FEW_DECADES:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(_label)
            axis.set_minor_formatter(NullFormatter())
        if axis.get_scale() == "symlog":
            axis.set_ticks(sorted({row[name] for row in rows if row[name] is not None}))
            axis.set_major_formatter(_label)


def _label(value: float, _: float | None) -> str:
    """A number as a tick has room for it: 50000 is 50k."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _decades(values: Iterable[float | None]) -> float:
    """Powers of ten between the least and the largest."""
    shown = [value for value in values if value is not None and value > 0]
    return math.log10(max(shown) / min(shown)) if shown else 0.0


def _curve(panel: Axes, points: Rows, colour: str, *, joined: bool) -> None:
    points = [row for row in points if row["seeds"] and row["y"] is not None]
    for row in points:
        if row["x"] is None:
            panel.axhline(row["y"], color=colour, linestyle="--", linewidth=1)
    points = sorted((row for row in points if row["x"] is not None), key=lambda row: row["x"])
    x, y = column(points, "x"), column(points, "y")
    if joined:
        panel.plot(x, y, color=colour, linewidth=1.2)
    for hollow in (False, True) if len(points) <= MANY_POINTS else ():
        chosen = [row for row in points if bool(row.get("hollow")) is hollow]
        face = "white" if hollow else colour
        panel.plot(column(chosen, "x"), column(chosen, "y"), "o", markersize=3.5, color=colour, markerfacecolor=face)
    if points and points[0].get("low") is not None:
        low, high = column(points, "low"), column(points, "high")
        if joined:
            panel.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        else:
            panel.vlines(x, low, high, color=colour, linewidth=0.8, alpha=0.6)
