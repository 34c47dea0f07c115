"""How figures look."""

from typing import Any

STYLE: Any = {
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "linstudy",
}

START, END, TARGET = "#8c8c8c", "#1f6fb4", "#c8321e"
"""Colours of what is before training, after it, and of the trained target."""

LINES = {"network": END, "linearization": TARGET}
"""Colours of the lines that many figures have."""
