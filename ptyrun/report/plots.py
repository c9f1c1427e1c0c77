"""What do the arms look like beside each other and the truth?"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ptyrun.report.scale_bar import scale_bar

DPI = 140
PANEL_INCHES = 3.2
BAR_INCHES = 0.1
GAP_INCHES = 0.07
ROW_GAP_INCHES = 0.2  # the numbers at the ends of two colour bars need as much
TICKS_INCHES = 0.5  # room for the colour bar's numbers
LEFT_INCHES = 0.35
TITLE_INCHES = 0.5
TALLEST, FLATTEST = 2.0, 0.4  # height over width of a panel

# A hue, since every grey may be a value.
UNCOVERED = "#bcd4ea"
WARNING = "#b00020"


@dataclass(frozen=True)
class Panel:
    """One column of the plot.

    Attributes
    ----------
    label : str
        What the column is.
    image : ndarray of complex, shape (H, W)
    covered : ndarray of bool, shape (H, W), optional
        Where it is known; the rest is drawn grey and sets no colours.
    offset_px : (float, float), optional
        The registration's (dy, dx), for the title.
    phase_limits : (float or None, float or None)
        Fixed ends of the phase's colours, in radians; None takes the percentile.
    warning : str, optional
        Said under the title in red, as for an arm that does not belong to the scan.
    """

    label: str
    image: NDArray[np.complexfloating[Any, Any]]
    covered: NDArray[np.bool_] | None = None
    offset_px: tuple[float, float] | None = None
    phase_limits: tuple[float | None, float | None] = (None, None)
    warning: str | None = None


class Drawn(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        return png(self)


def png(figure: Figure) -> bytes:
    """Write a figure as PNG; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def comparison_plot(
    panels: Sequence[Panel],
    percentiles: tuple[float, float] = (10.0, 90.0),
    pixel_size_m: float | None = None,
) -> bytes:
    """Draw phase over amplitude, one column per panel.

    Parameters
    ----------
    panels : sequence of Panel
        The arms, then the ground truth where there is one.
    percentiles : (float, float)
        Which percentiles of the covered pixels the ends of the colours are, per image.
    pixel_size_m : float, optional
        Object pixel in metres; the scale bar counts pixels when None.

    Returns
    -------
    bytes
        A PNG; equal arguments give equal bytes.
    """
    return png(comparison_figure(panels, percentiles, pixel_size_m))


def comparison_figure(
    panels: Sequence[Panel],
    percentiles: tuple[float, float] = (10.0, 90.0),
    pixel_size_m: float | None = None,
) -> Figure:
    """Draw as `comparison_plot` does, and give what was drawn."""
    figure, axes = _frame(panels)
    for panel, (phase, amplitude) in zip(panels, axes, strict=True):
        _draw(figure, phase, np.angle(panel.image), panel, percentiles, panel.phase_limits)
        _draw(figure, amplitude, np.abs(panel.image), panel, percentiles, (None, None))
        _scale_bar(amplitude, panel.image.shape, pixel_size_m)
        _title(phase, panel)
    for first, quantity in zip(axes[0], ("phase (rad)", "amplitude"), strict=True):
        first.set_ylabel(quantity)
    return figure


def colour_limits(
    values: NDArray[np.floating[Any]],
    percentiles: tuple[float, float],
    fixed: tuple[float | None, float | None] = (None, None),
) -> tuple[float, float]:
    """Find the ends of the colours: what is fixed, else the percentiles of the finite values."""
    finite = values[np.isfinite(values)]
    found = np.percentile(finite, percentiles) if finite.size else (0.0, 1.0)
    low, high = (
        float(value) if limit is None else limit for value, limit in zip(found, fixed, strict=True)
    )
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _frame(panels: Sequence[Panel]) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """Make the figure and, for each panel, the axes of phase and amplitude; laid out in inches."""
    aspect = max(panel.image.shape[0] / panel.image.shape[1] for panel in panels)
    tall = PANEL_INCHES * min(max(aspect, FLATTEST), TALLEST)
    pitch = PANEL_INCHES + 2 * GAP_INCHES + BAR_INCHES + TICKS_INCHES
    width = LEFT_INCHES + pitch * len(panels)
    height = TITLE_INCHES + 2 * tall + ROW_GAP_INCHES + 2 * GAP_INCHES
    figure = Drawn(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = []
    for column in range(len(panels)):
        left = LEFT_INCHES + column * pitch
        bottoms = (GAP_INCHES + tall + ROW_GAP_INCHES, GAP_INCHES)
        phase, amplitude = (
            figure.add_axes((left / width, up / height, PANEL_INCHES / width, tall / height))
            for up in bottoms
        )
        axes.append((phase, amplitude))
    return figure, axes


def _draw(
    figure: Figure,
    axes: Axes,
    values: NDArray[np.floating[Any]],
    panel: Panel,
    percentiles: tuple[float, float],
    fixed: tuple[float | None, float | None],
) -> None:
    covered = np.ones(values.shape, bool) if panel.covered is None else panel.covered
    low, high = colour_limits(values[covered], percentiles, fixed)
    axes.set_facecolor(UNCOVERED)
    image = axes.imshow(
        np.ma.masked_array(values, ~covered),
        cmap="gray",
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    inset = axes.inset_axes((1 + GAP_INCHES / PANEL_INCHES, 0.0, BAR_INCHES / PANEL_INCHES, 1.0))
    figure.colorbar(image, cax=inset).ax.tick_params(labelsize=7, length=2, pad=1.5)


def _title(axes: Axes, panel: Panel) -> None:
    lines = [panel.label]
    if panel.offset_px is not None:
        dy_px, dx_px = panel.offset_px
        lines.append(f"offset dy {dy_px:+.2f} px, dx {dx_px:+.2f} px")
    axes.set_title("\n".join(lines), fontsize=10)
    if panel.warning is not None:
        axes.text(
            0.5, 0.985, panel.warning, transform=axes.transAxes, color="white", fontsize=8,
            ha="center", va="top", wrap=True, bbox={"facecolor": WARNING, "edgecolor": "none"},
        )  # fmt: skip


def _scale_bar(axes: Axes, shape: tuple[int, ...], pixel_size_m: float | None) -> None:
    height, width = shape
    bar = scale_bar(width, pixel_size_m)
    bar_px, thickness = bar.width_percent / 100 * width, max(1.0, height / 80)
    left, top = 0.04 * width, height * 0.95 - thickness
    box = Rectangle((left, top), bar_px, thickness, facecolor="white", edgecolor="black", lw=0.5)
    axes.add_patch(box)
    axes.text(
        left + bar_px / 2, top - thickness, bar.label, color="white", fontsize=7, ha="center",
        va="bottom", bbox={"facecolor": "black", "alpha": 0.5, "pad": 1.0, "edgecolor": "none"},
    )  # fmt: skip
