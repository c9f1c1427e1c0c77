"""What does an arm look like so far?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from numpy.typing import NDArray

from ptyrun.report import colours, drawn
from ptyrun.report.scale_bar import scale_bar
from ptyrun.report.views import Quantity, Scene

STAMP = "PARTIAL"
_ALARM, _CALM = "#a3160f", "#16202b"
_PAPER = "#e3e7ec"
_PANEL_IN = 3.6
_SHOWN = (Quantity.AMPLITUDE, Quantity.PHASE)


@dataclass(frozen=True)
class Look:
    """What is drawn of one arm.

    Attributes
    ----------
    title : str
        Who it is and how far.
    is_partial : bool
        Whether the picture is stamped so.
    scene : Scene or None
        The arm, and what it is held against; None if nothing is covered.
    coverage : ndarray of float64, shape (H, W)
        Zero where nothing was laid yet; of the pixels that the scene shows.
    pixel_size_m : float or None
    """

    title: str
    is_partial: bool
    scene: Scene | None
    coverage: NDArray[np.float64]
    pixel_size_m: float | None


def draw(look: Look) -> bytes:
    """Draw amplitude, phase and coverage as PNG, the reference below; a partial one says so."""
    coverage = np.where(look.coverage > 0, look.coverage, np.nan)
    counts = colours.Scale(
        colours.COUNT, 0.0, float(look.coverage.max()), "coverage (sum of weights)"
    )
    views = [] if look.scene is None else look.scene.views
    height, width = look.coverage.shape
    tall_in = min(max(_PANEL_IN * height / width, 1.5), 3 * _PANEL_IN)
    n_rows = max(len(views), 1)
    figure = Figure(
        figsize=(3 * (_PANEL_IN + 1.0), n_rows * (tall_in + 0.3) + 0.5),
        dpi=110,
        layout="constrained",
    )
    stamp = f"{STAMP} – " if look.is_partial else ""
    colour = _ALARM if look.is_partial else _CALM
    title = stamp + drawn.plain(look.title)
    figure.suptitle(title, color=colour, weight="bold", size=15)
    grid = figure.subplots(n_rows, 3, squeeze=False)
    for row, view in enumerate(views):
        for axes, quantity in zip(grid[row], _SHOWN, strict=False):
            scale = look.scene.scales(quantity)[row] if look.scene else None
            if scale is not None:
                _panel(figure, axes, view.images[quantity], scale, look, is_of_arm=not row)
        if row:
            grid[row][0].set_title(drawn.plain(view.label), loc="left")
            grid[row][2].axis("off")
    if not views:
        for axes in grid[0][:2]:
            axes.axis("off")
    _panel(figure, grid[0][2], coverage, counts, look)
    return drawn.content(figure)


def _panel(
    figure: Figure,
    axes: Axes,
    values: NDArray[np.floating[Any]],
    scale: colours.Scale,
    look: Look,
    *,
    is_of_arm: bool = True,
) -> None:
    shown = axes.imshow(
        values, cmap=scale.colours, vmin=scale.low, vmax=scale.high, interpolation="nearest"
    )
    axes.set_facecolor(_PAPER)
    axes.set_xticks([])
    axes.set_yticks([])
    bar = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.03, label=scale.quantity)
    if scale.cyclic:
        bar.set_ticks([scale.low, 0, scale.high], labels=["−π", "0", "π"])
    _add_scale_bar(axes, values.shape[1], look)
    if look.is_partial and is_of_arm:
        _add_stamp(axes)


def _add_scale_bar(axes: Axes, width_px: int, look: Look) -> None:
    bar = scale_bar(look.coverage.shape[1], look.pixel_size_m)
    length_px = bar.width_percent / 100 * width_px
    thickness_px = width_px / 120
    placed = AnchoredSizeBar(
        axes.transData, length_px, bar.label, "lower left", size_vertical=thickness_px, pad=0.4
    )
    placed.patch.set_alpha(0.8)
    axes.add_artist(placed)


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
