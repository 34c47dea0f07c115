"""Alignments before and after training on one eigenfunction: the NTK turns towards its target."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linstudy.report.asking import Rows
from linstudy.report.panels import column, groups, setting
from linstudy.report.style import END, START, TARGET


def draw(rows: Rows) -> Figure:
    """A row of panels for each data set and model, a panel for each target."""
    lines = groups(rows, ["variant", "data_kind", "model_kind"])
    width = max(len(groups(line, ["target"])) for line in lines.values())
    figure = Figure(figsize=(3.4 * width, 2.7 * len(lines)), layout="constrained")
    axes = figure.subplots(len(lines), width, squeeze=False)
    for row, line in zip(axes, lines.values(), strict=True):
        for panel in row:
            panel.set_visible(False)
        for panel, drawn in zip(row, groups(line, ["target"]).values(), strict=False):
            panel.set_visible(True)
            _panel(panel, drawn)
        row[0].set_ylabel("alignment α(φⱼ)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _panel(axes: Axes, rows: Rows) -> None:
    first, j = rows[0], column(rows, "j")
    axes.plot(j, column(rows, "alpha_start"), color=START, label="at initialization")
    axes.plot(j, column(rows, "alpha_end"), color=END, linewidth=0.9, label="after training (median of seeds)")
    low, high = column(rows, "alpha_end_min"), column(rows, "alpha_end_max")
    axes.fill_between(j, low, high, color=END, alpha=0.2, linewidth=0, label="after training (range of seeds)")
    target = [row for row in rows if row["j"] == first["target"]]
    axes.axvline(first["target"], color=TARGET, linewidth=0.6, alpha=0.6)
    axes.plot(column(target, "j"), column(target, "alpha_end"), "o", color=TARGET, label="the trained target φⱼ")
    axes.set(xscale="log", yscale="log", xlabel="eigenfunction j")
    axes.set_title(f"{setting(first)}\n{_growth(first)}", fontsize=8)


def _growth(row: dict) -> str:
    """The target's growth, over that of its neighbours and over the median of all."""
    low, high = row["over_neighbours_min"], row["over_neighbours_max"]
    seeds = f"({low:.2g} to {high:.2g}, {row['seeds']} seeds), " if row["seeds"] > 1 else ""
    return (
        f"trained on sign φ$_{{{row['target']}}}$: growth {row['over_neighbours']:.2g} × its neighbours' median\n"
        f"{seeds}{row['over_median']:.2g} × the median of all"
    )
