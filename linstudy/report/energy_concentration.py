"""Energy concentration of the labels over epochs."""

from collections import Counter
from collections.abc import Mapping
from textwrap import fill
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linstudy.report.panels import column, groups, network_of, seeds_note, title
from linstudy.report.question import Rows

TITLE_WIDTH = 40
"""Characters over a panel."""

LEGEND_WIDTH = 36
"""Characters in a line of the legend, which leaves the panels their room."""

ACROSS = 4
"""Panels in a line."""


def draw(rows: Rows, notes: Mapping[str, str]) -> Figure:
    """A panel for each network, a curve for each setting of it; settings of one target have one colour."""
    panels, names = groups(rows, network_of), _names(rows)
    colours = {target: f"C{number % 10}" for number, target in enumerate(names)}
    width, height = min(len(panels), ACROSS), -(-len(panels) // ACROSS)
    figure = Figure(figsize=(3.2 * width + 1.6, 3.0 * height), layout="constrained")
    axes = figure.subplots(height, width, squeeze=False, sharey=True)
    for panel in axes.flat[len(panels) :]:
        panel.set_visible(False)
    for panel, drawn in zip(axes.flat, panels.values(), strict=False):
        for curve in groups(drawn, lambda row: row["setting_id"]).values():
            points = [row for row in curve if row["seeds"]]
            epochs, colour = column(points, "epoch"), colours[_target(curve[0])]
            low, high = column(points, "concentration_min"), column(points, "concentration_max")
            panel.plot(epochs, column(points, "concentration"), marker=".", color=colour)
            panel.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        panel.set(xlabel="epoch", ylim=(0, 1.02))
        panel.set_title(title(drawn[0], drawn[0]["setting"]["network"], TITLE_WIDTH) + seeds_note(drawn), fontsize=8)
    for row in axes:
        row[0].set_ylabel("energy concentration ‖Φ$_K$y‖ / ‖y‖\n(median and range of seeds)")
    handles = [Line2D([], [], marker=".", color=colour) for colour in colours.values()]
    figure.legend(
        handles, [fill(name, LEGEND_WIDTH) for name in names.values()], loc="outside right center", title="labels"
    )
    return figure


def _target(row: dict[str, Any]) -> str:
    return row["setting"]["target"]


def _names(rows: Rows) -> dict[str, str]:
    """For each target the labels learned and K, and all its differences where these do not tell it apart."""
    names = {target: _name(of_it[0]["setting"]) for target, of_it in groups(rows, _target).items()}
    counts = Counter(names.values())
    return {target: name if counts[name] == 1 else f"{name}, {target}" for target, name in names.items()}


def _name(setting: dict[str, Any]) -> str:
    index, kind = setting["task_index"], setting["task_kind"]
    labels = f"sign φ$_{{{index}}}$" if index is not None else kind.replace("_", " ")
    return f"{labels}, K = {setting['probe_top']}"
