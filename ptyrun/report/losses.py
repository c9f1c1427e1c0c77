"""How did a network's loss fall? A picture of its figures, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ptyrun.report import drawn

DPI = 120
INCHES = (5.2, 3.4)


def losses_png(title: str, names: Sequence[str], figures: NDArray[np.float64]) -> bytes:
    """Draw figures (epochs, names) on a logarithmic axis, as PNG; equal figures give equal bytes.

    What is not above zero is left out.
    """
    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    epochs = np.arange(1, len(figures) + 1)
    for name, values in zip(names, figures.T, strict=True):
        shown = np.where(values > 0, values, np.nan)
        axes.plot(epochs, shown, marker="o" if len(epochs) < 20 else "", markersize=3, label=name)
    if np.any(figures > 0):
        axes.set_yscale("log")
    axes.set(title=title, xlabel="epoch", ylabel="mean over the epoch")
    axes.grid(alpha=0.3)
    axes.legend()
    return drawn.content(figure)
