"""Energy concentration of the labels over epochs."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linstudy.report.asking import Rows
from linstudy.report.panels import column, groups, setting

CURVE = ["task_kind", "target", "top"]


def draw(rows: Rows) -> Figure:
    """A panel for each data set and model, a curve for each task and number of eigenfunctions."""
    panels = groups(rows, ["variant", "data_kind", "model_kind"])
    colours = {curve: f"C{number % 10}" for number, curve in enumerate(groups(rows, CURVE))}
    figure = Figure(figsize=(3.2 * len(panels) + 1.6, 3.0), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for panel, drawn in zip(axes, panels.values(), strict=True):
        for curve, points in groups(drawn, CURVE).items():
            epochs = column(points, "epoch")
            low, high = column(points, "concentration_min"), column(points, "concentration_max")
            panel.plot(epochs, column(points, "concentration"), marker=".", color=colours[curve])
            panel.fill_between(epochs, low, high, color=colours[curve], alpha=0.2, linewidth=0)
        panel.set(xlabel="epoch", ylim=(0, 1.02))
        panel.set_title(setting(drawn[0]))
    axes[0].set_ylabel("energy concentration ‖Φ$_K$y‖ / ‖y‖\n(median and range of seeds)")
    handles = [Line2D([], [], marker=".", color=colour) for colour in colours.values()]
    figure.legend(handles, [_name(*curve) for curve in colours], loc="outside right center", title="labels")
    return figure


def _name(kind: str, target: int | None, top: int) -> str:
    labels = f"sign φ$_{{{target}}}$" if target is not None else kind.replace("_", " ")
    return f"{labels}, K = {top}"
