"""Alignments before and after training on one eigenfunction: the NTK turns towards its target."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linstudy.report.panels import column, groups, left_out_note, network_of, title
from linstudy.report.question import Rows
from linstudy.report.style import END, START, TARGET

TITLE_WIDTH = 52
"""Characters over a panel."""

ACROSS = 3
"""Panels in a line where each network has one."""


def draw(rows: Rows, notes: Mapping[str, str]) -> Figure:
    """A row of panels for each network, a panel for each setting of it."""
    lines = _lines(rows)
    width = max(map(len, lines))
    figure = Figure(figsize=(3.4 * width, 2.8 * len(lines)), layout="constrained")
    axes = figure.subplots(len(lines), width, squeeze=False)
    for row, line in zip(axes, lines, strict=True):
        for panel in row[len(line) :]:
            panel.set_visible(False)
        for panel, drawn in zip(row, line, strict=False):
            _panel(panel, drawn)
        row[0].set_ylabel("alignment α(φⱼ)")
    _legend(figure, columns=2 if width < 3 else 4)
    return figure


def _lines(rows: Rows) -> list[list[Rows]]:
    lines = [list(groups(line, lambda row: row["setting_id"]).values()) for line in groups(rows, network_of).values()]
    if max(map(len, lines)) > 1:
        return lines
    return [[line[0] for line in lines[start : start + ACROSS]] for start in range(0, len(lines), ACROSS)]


def _legend(figure: Figure, columns: int) -> None:
    """One for all panels, from the first that has curves."""
    known = (panel.get_legend_handles_labels() for panel in figure.axes)
    handles, labels = next((found for found in known if found[0]), ([], []))
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def _panel(axes: Axes, rows: Rows) -> None:
    first = rows[0]
    about = f"trained on sign φ$_{{{first['target']}}}$"
    words = title(first, first["setting"]["label"], TITLE_WIDTH)
    notes = [words, f"{about}: {_growth(first)}", left_out_note([first])]
    axes.set_title("\n".join(filter(None, notes)), fontsize=8)
    if first["seeds"]:
        _curves(axes, rows)
    axes.set(xscale="log", yscale="log", xlabel="eigenfunction j")


def _curves(axes: Axes, rows: Rows) -> None:
    first, j = rows[0], column(rows, "j")
    axes.plot(j, column(rows, "alpha_start"), color=START, label="at initialization")
    axes.plot(j, column(rows, "alpha_end"), color=END, linewidth=0.9, label="after training (median of seeds)")
    low, high = column(rows, "alpha_end_min"), column(rows, "alpha_end_max")
    axes.fill_between(j, low, high, color=END, alpha=0.2, linewidth=0, label="after training (range of seeds)")
    target = [row for row in rows if row["j"] == first["target"]]
    axes.axvline(first["target"], color=TARGET, linewidth=0.6, alpha=0.6)
    axes.plot(column(target, "j"), column(target, "alpha_end"), "o", color=TARGET, label="the trained target φⱼ")


def _growth(row: dict) -> str:
    """The target's growth, over that of its neighbours and over the median of all."""
    if not row["seeds"]:
        return "no run that ended"
    low, high = row["over_neighbours_min"], row["over_neighbours_max"]
    seeds = f"{low:.2g} to {high:.2g}, {row['seeds']} seeds" if row["seeds"] > 1 else "one seed"
    return (
        f"growth {row['over_neighbours']:.2g} × its neighbours' median\n"
        f"({seeds}), {row['over_median']:.2g} × the median of all"
    )
