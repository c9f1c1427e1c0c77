"""Up to which detail do images agree? Ring correlations over spatial frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ptyrun.report import drawn

Float1D = NDArray[np.floating]

# Okabe and Ito's, which people who see red and green alike tell apart; darker for paper.
COLOURS = ("#0068a8", "#c4500a", "#00805c", "#a3457f", "#7a6a00", "#2b8fb8", "#4a4a4a", "#6b4fb3")
DASHES = ((7, 3), (1.5, 3), (9, 3, 2, 3), (4, 2))
_WIDE, _TALL, _LEGEND_INCHES = 4.2, 2.7, 0.24


@dataclass(frozen=True)
class Line:
    """Values ``y`` (n,) over ``x`` (n,) in fractions of Nyquist; ``low`` and ``high`` an interval.

    ``style`` counts arms, and thresholds apart from them.
    """

    label: str
    x: Float1D
    y: Float1D
    style: int = 0
    is_threshold: bool = False
    low: Float1D | None = None
    high: Float1D | None = None


@dataclass(frozen=True)
class Rings:
    """The lines of one quantity; ``why_none`` says why there are none."""

    title: str
    lines: tuple[Line, ...]
    why_none: str = ""
    name: str = ""

    @property
    def lowest(self) -> float:
        """The least of all values."""
        known = [line.y[np.isfinite(line.y)] for line in self.lines]
        return min((float(values.min()) for values in known if values.size), default=0.0)


def ring_figure(title: str, parts: Sequence[Rings], pixel_size_m: float | None) -> Figure:
    """Draw the correlations of each quantity beside each other, with their thresholds.

    Parameters
    ----------
    title : str
        What is correlated with what, and how.
    parts : sequence of Rings
    pixel_size_m : float, optional
        Object pixel in metres; then a second axis counts periods in 1/nm.
    """
    labels = {line.label: line for part in parts for line in part.lines}
    columns = min(3 * len(parts), max(len(labels), 1))
    legend_rows = -(-len(labels) // columns)
    above = 0.75 if pixel_size_m is None else 1.0
    lowest = min((part.lowest for part in parts), default=0.0)
    up = 0.55 + _LEGEND_INCHES * legend_rows
    height = up + _TALL + above
    figure = drawn.figure(_WIDE * len(parts), height)
    figure.suptitle(drawn.plain(title), fontsize=10, y=1 - 0.08 / height, va="top")
    width = 1 / len(parts)
    handles: dict[str, Artist] = {}
    for number, part in enumerate(parts):
        place = (width * (number + 0.15), up / height, width * 0.82, _TALL / height)
        axes = figure.add_axes(place)
        for line in part.lines:
            handles.setdefault(line.label, _draw(axes, line))
        _frame(axes, part, lowest, pixel_size_m)
    if handles:
        figure.legend(
            list(handles.values()),
            [drawn.short(label) for label in handles],
            loc="lower center",
            ncols=columns,
            fontsize=8,
            frameon=False,
        )
    return figure


def _draw(axes: Axes, line: Line) -> Artist:
    if line.is_threshold:
        dashes = (0, DASHES[line.style % len(DASHES)])
        (handle,) = axes.plot(line.x, line.y, color="#55616e", lw=0.9, ls=dashes)
        return handle
    colour = COLOURS[line.style % len(COLOURS)]
    (handle,) = axes.plot(line.x, line.y, color=colour, lw=1.6)
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.2, lw=0)
    return handle


def _frame(axes: Axes, part: Rings, lowest: float, pixel_size_m: float | None) -> None:
    axes.set_title(drawn.plain(part.title), fontsize=10)
    axes.set_xlim(0, 1)
    axes.set_ylim(min(-0.05, lowest - 0.05), 1.05)
    axes.axhline(0, color="#b4bcc6", lw=0.7, zorder=0)
    axes.grid(color="#e3e7ec", lw=0.6)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("spatial frequency / Nyquist", fontsize=8)
    axes.set_ylabel("correlation", fontsize=8, labelpad=1)
    if part.why_none:
        axes.text(
            0.5, 0.5, drawn.plain(part.why_none), transform=axes.transAxes, fontsize=8,
            ha="center", va="center", wrap=True,
        )  # fmt: skip
    if pixel_size_m is not None:
        nyquist_per_nm = 1e-9 / (2 * pixel_size_m)
        top = axes.secondary_xaxis(
            "top",
            functions=(
                lambda x: np.multiply(x, nyquist_per_nm),
                lambda x: np.divide(x, nyquist_per_nm),
            ),
        )
        top.set_xlabel("1/nm", fontsize=8, labelpad=2)
        top.tick_params(labelsize=7)
        axes.title.set_position((0.5, 1.0))
        axes.set_title(drawn.plain(part.title), fontsize=10, pad=26)
