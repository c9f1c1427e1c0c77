"""How do values along a line become lines on paper?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ptyrun.report.curves import Curve, Plot, PlotGroup, Tick, down, line, round_step, ticks_along
from ptyrun.report.tables import Table


@dataclass(frozen=True)
class LineSection:
    """Profiles along a line, and the widths of the edge there."""

    plots: PlotGroup
    table: Table


def profiles(
    name: str,
    title: str,
    alt: str,
    y_label: str,
    curves: Sequence[Curve],
    length_px: float,
    nm_per_px: float | None = None,
) -> Plot:
    """Draw values over the distance along a line, in pixels and, where known, in nm above.

    Parameters
    ----------
    name, title, alt, y_label : str
    curves : sequence of Curve
        ``x`` in pixels from the line's first end.
    length_px : float
    nm_per_px : float or None
        Side of an object pixel.
    """
    known = np.concatenate([np.zeros(0), *(curve.y[np.isfinite(curve.y)] for curve in curves)])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    margin = 0.05 * (high - low) or max(abs(high), 1.0) / 10
    low, high = low - margin, high + margin
    step = round_step((high - low) / 5)
    upright = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    tops = () if nm_per_px is None else ticks_along(length_px * nm_per_px)
    return Plot(
        name=name,
        title=title,
        alt=alt,
        x_label="distance along the line (px)",
        y_label=y_label,
        x_ticks=ticks_along(length_px),
        y_ticks=tuple(
            Tick(down((mark - low) / (high - low), 0.0), f"{mark:.6g}".replace("-", "−"))
            for mark in upright
        ),
        lines=tuple(
            line(replace(curve, x=curve.x / length_px, y=(curve.y - low) / (high - low)), 0.0)
            for curve in curves
        ),
        top_label="" if nm_per_px is None else "nm",
        top_ticks=tops,
        why_none="" if known.size else "nothing is known along the line",
    )
