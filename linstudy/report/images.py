"""Directions of input space as images, each over the magnitude of its Fourier transform."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linstudy.report.panels import groups, title
from linstudy.report.question import Rows

TITLE_WIDTH = 60
"""Characters over a line of images."""


def draw(rows: Rows, notes: Mapping[str, str]) -> Figure:
    """Two lines of pictures for each setting: its directions in order of j, and below each its spectrum.

    Args:
        rows: With `j`, the inputs' `shape` (channels, height, width) and `value`, as many numbers in that order.
    """
    settings = groups(rows, lambda row: (row["study"], row["variant"], row["setting_id"]))
    across = max(len(drawn) for drawn in settings.values())
    figure = Figure(figsize=(0.95 * across + 0.8, 2.4 * len(settings)), layout="constrained")
    parts = figure.subfigures(len(settings), 1, squeeze=False)[:, 0]
    for part, drawn in zip(parts, settings.values(), strict=True):
        first = drawn[0]
        part.suptitle(title(first, first["setting"]["label"], TITLE_WIDTH), fontsize=8)
        axes = part.subplots(2, across, squeeze=False)
        for panel in axes.flat:
            panel.set_axis_off()
        for (image, spectrum), row in zip(axes.T, drawn, strict=False):
            _picture(image, _image(row), "coolwarm")
            _picture(spectrum, np.fft.fftshift(np.abs(np.fft.fft2(_image(row)))), "viridis")
            image.set_title(f"j = {row['j']}", fontsize=7)
    return figure


def _image(row: dict) -> Float[np.ndarray, "height width"]:
    """The direction as an image: the mean of its channels; inputs that are no images are one line of pixels."""
    values = np.asarray(row["value"], dtype=float)
    shape = tuple(row["shape"])
    return values.reshape(shape).mean(axis=0) if len(shape) == 3 else values[None]


def _picture(axes: Axes, image: Float[np.ndarray, "height width"], colours: str) -> None:
    """Signed numbers around white, magnitudes from 0."""
    largest = float(np.abs(image).max()) or 1.0
    low = -largest if image.min() < 0 else 0.0
    axes.imshow(image, cmap=colours, vmin=low, vmax=largest, interpolation="nearest")
