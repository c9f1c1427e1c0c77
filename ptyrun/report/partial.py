"""What does an arm look like so far?"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from numpy.typing import NDArray

from ptyrun.report import colours
from ptyrun.report.scale_bar import scale_bar

STAMP = "PARTIAL"
_ALARM, _CALM = "#a3160f", "#16202b"
_PAPER = "#e3e7ec"
_PANEL_IN = 3.6
_DPI = 110


@dataclass(frozen=True)
class Look:
    """What is drawn of one arm.

    Attributes
    ----------
    title : str
        Who it is and how far.
    is_partial : bool
        Whether the picture is stamped so.
    image : ndarray of complex64, shape (H, W)
    coverage : ndarray of float64, shape (H, W)
        Zero where nothing was laid yet.
    pixel_size_m : float or None
    """

    title: str
    is_partial: bool
    image: NDArray[np.complex64]
    coverage: NDArray[np.float64]
    pixel_size_m: float | None


def draw(look: Look) -> bytes:
    """Draw amplitude, phase and coverage side by side as PNG; a partial picture says so."""
    known = look.coverage > 0
    field = np.where(known, look.image, np.nan)
    coverage = np.where(known, look.coverage, np.nan)
    amplitude = colours.spread(np.abs(field), colours.AMPLITUDE, "amplitude")
    phase = colours.spread(np.angle(field), colours.THIN_PHASE, "phase (rad)")
    if phase.high - phase.low > math.pi:
        phase = colours.full_circle()
    highest = float(look.coverage.max())
    panels = (
        (np.abs(field), amplitude),
        (np.angle(field), phase),
        (coverage, colours.Scale(colours.COUNT, 0.0, highest, "coverage (sum of weights)")),
    )
    height, width = look.image.shape
    panel_height_in = min(max(_PANEL_IN * height / width, 1.5), 3 * _PANEL_IN)
    figure = Figure(figsize=(3 * (_PANEL_IN + 1.0), panel_height_in + 0.7), layout="constrained")
    stamp = f"{STAMP} – " if look.is_partial else ""
    figure.suptitle(
        stamp + look.title, color=_ALARM if look.is_partial else _CALM, weight="bold", size=15
    )
    for axes, (values, scale) in zip(figure.subplots(1, 3), panels, strict=True):
        _panel(figure, axes, values, scale, look)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=_DPI, metadata={"Software": None})
    return memory.getvalue()


def _panel(
    figure: Figure, axes: Axes, values: NDArray[np.floating[Any]], scale: colours.Scale, look: Look
) -> None:
    shown = axes.imshow(
        values, cmap=scale.colours, vmin=scale.low, vmax=scale.high, interpolation="nearest"
    )
    axes.set_facecolor(_PAPER)
    axes.set_xticks([])
    axes.set_yticks([])
    bar = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.03, label=scale.quantity)
    if scale.cyclic:
        bar.set_ticks([-math.pi, 0, math.pi], labels=["−π", "0", "π"])
    _add_scale_bar(axes, values.shape[1], look.pixel_size_m)
    if look.is_partial:
        _add_stamp(axes)


def _add_scale_bar(axes: Axes, width_px: int, pixel_size_m: float | None) -> None:
    bar = scale_bar(width_px, pixel_size_m)
    length_px = bar.width_percent / 100 * width_px
    thickness_px = width_px / 120
    drawn = AnchoredSizeBar(
        axes.transData, length_px, bar.label, "lower left", size_vertical=thickness_px, pad=0.4
    )
    drawn.patch.set_alpha(0.8)
    axes.add_artist(drawn)


def _add_stamp(axes: Axes) -> None:
    outline = [patheffects.withStroke(linewidth=3, foreground="white", alpha=0.35)]
    axes.text(
        0.5,
        0.5,
        STAMP,
        transform=axes.transAxes,
        rotation=30,
        ha="center",
        va="center",
        size=30,
        weight="bold",
        color=_ALARM,
        alpha=0.35,
        path_effects=outline,
    )
