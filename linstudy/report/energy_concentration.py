"""Energy concentration of the labels over epochs."""

from matplotlib.figure import Figure

from linstudy.report.asking import Rows
from linstudy.report.panels import column, groups
from linstudy.report.style import NAMES


def draw(rows: Rows) -> Figure:
    """A panel for each data set and model, a curve for each task and number of eigenfunctions."""
    panels = groups(rows, ["variant", "data_kind", "model_kind"])
    figure = Figure(figsize=(3.4 * len(panels), 3.0), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for panel, ((variant, data, model), drawn) in zip(axes, panels.items(), strict=True):
        for (kind, target, top), curve in groups(drawn, ["task_kind", "target", "top"]).items():
            name = f"sign φ$_{{{target}}}$" if target is not None else kind.replace("_", " ")
            epochs = column(curve, "epoch")
            (line,) = panel.plot(epochs, column(curve, "concentration"), marker=".", label=f"{name}, K = {top}")
            low, high = column(curve, "concentration_min"), column(curve, "concentration_max")
            panel.fill_between(epochs, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        panel.set(xlabel="epoch", ylim=(0, 1.02))
        panel.set_title(f"{NAMES.get(model, model)}, {data}{f' [{variant}]' if variant else ''}")
        panel.legend(fontsize=7)
    axes[0].set_ylabel("energy concentration ‖Φ$_K$y‖ / ‖y‖\n(median and range of seeds)")
    return figure
