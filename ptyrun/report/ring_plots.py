"""Up to which detail do images agree? Ring correlations over spatial frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ptyrun.report import drawn

Float1D = NDArray[np.floating]

# Okabe and Ito's, which people who see red and green alike tell apart; darker for paper.
COLOURS = ("#0068a8", "#c4500a", "#00805c", "#a3457f", "#7a6a00", "#2b8fb8", "#4a4a4a", "#6b4fb3")
DASHES = ((7, 3), (1.5, 3), (9, 3, 2, 3), (4, 2))
_ACROSS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_WIDE, _TALL, _LEGEND_INCHES, _TITLE_INCHES, _BELOW_INCHES = 4.2, 2.7, 0.24, 0.35, 0.55


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


def ring_figure(title: str, rows: Sequence[Sequence[Rings]], pixel_size_m: float | None) -> Figure:
    """Draw the correlations of each quantity beside each other, with their thresholds.

    Parameters
    ----------
    title : str
        What is correlated, and how.
    rows : sequence of sequence of Rings
        Each with a legend of its own.
    pixel_size_m : float, optional
        Object pixel in metres; then a second axis counts periods in 1/nm.
    """
    n_columns = max(len(row) for row in rows)
    legends = [_legend_rows(row, n_columns) for row in rows]
    above = 0.45 if pixel_size_m is None else 0.75
    tall = [above + _TALL + _BELOW_INCHES + _LEGEND_INCHES * legend for legend in legends]
    height = sum(tall) + _TITLE_INCHES
    figure = drawn.figure(_WIDE * n_columns, height)
    figure.suptitle(drawn.plain(title), fontsize=10, y=1 - 0.1 / height, va="top")
    top = height - _TITLE_INCHES
    for row, inches in zip(rows, tall, strict=True):
        bottom = top - above - _TALL
        _row(figure, row, (bottom / height, _TALL / height), (top - inches) / height, pixel_size_m)
        top -= inches
    return figure


def _legend_rows(row: Sequence[Rings], n_columns: int) -> int:
    return -(-len({line.label for part in row for line in part.lines}) // (3 * n_columns))


def _row(
    figure: Figure,
    row: Sequence[Rings],
    place: tuple[float, float],
    legend_at: float,
    pixel_size_m: float | None,
) -> None:
    bottom, tall = place
    width = 1 / len(row)
    lowest = min((part.lowest for part in row), default=0.0)
    handles: dict[str, Artist] = {}
    for number, part in enumerate(row):
        axes = figure.add_axes((width * (number + 0.15), bottom, width * 0.82, tall))
        for line in part.lines:
            handles.setdefault(line.label, _draw(axes, line))
        _frame(axes, part, lowest, pixel_size_m)
    if handles:
        figure.legend(
            list(handles.values()),
            [drawn.short(label) for label in handles],
            loc="lower center",
            bbox_to_anchor=(0.5, legend_at),
            ncols=min(3 * len(row), len(handles)),
            fontsize=8,
            frameon=False,
        )


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
    """Draw frame, grid and ticks as few lines; as axes of their own they take most of the time."""
    bottom, top = min(-0.05, lowest - 0.05), 1.05
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom, top)
    axes.set_axis_off()
    ups = [n / 5 for n in range(-5, 6) if bottom <= n / 5 <= top]
    grid = [[(0, up), (1, up)] for up in ups] + [[(x, bottom), (x, top)] for x in _ACROSS]
    axes.add_collection(LineCollection(grid, colors="#e3e7ec", linewidths=0.6, zorder=0))
    zero = LineCollection([[(0, 0), (1, 0)]], colors="#b4bcc6", linewidths=0.7, zorder=0)
    axes.add_collection(zero)
    axes.add_patch(
        Rectangle((0, bottom), 1, top - bottom, fill=False, ec="#222222", lw=0.8, clip_on=False)
    )
    down = (top - bottom) / _TALL / 72  # data units of a point
    right = 1 / (_WIDE * 0.82) / 72

    def put(x: float, y: float, text: str, size: float = 8, **options: Any) -> None:
        axes.text(x, y, text, fontsize=size, **{"ha": "center", "va": "top", **options})

    for x in _ACROSS:
        put(x, bottom - 4 * down, f"{x:g}")
    for up in ups:
        put(-4 * right, up, f"{up:g}".replace("-", "−"), ha="right", va="center")
    put(0.5, bottom - 16 * down, "spatial frequency / Nyquist")
    put(-30 * right, (bottom + top) / 2, "correlation", rotation=90, ha="center", va="center")
    above = 6.0
    if pixel_size_m is not None:
        nyquist_per_nm = 1e-9 / (2 * pixel_size_m)
        marks = _round_marks(nyquist_per_nm)
        ticks = [
            [(mark / nyquist_per_nm, top), (mark / nyquist_per_nm, top - 4 * down)]
            for mark in marks
        ]
        axes.add_collection(LineCollection(ticks, colors="#222222", linewidths=0.8))
        for mark in marks:
            put(mark / nyquist_per_nm, top + 3 * down, f"{mark:.3g}", 7, va="bottom")
        put(0.5, top + 13 * down, "1/nm", va="bottom")
        above = 26.0
    put(0.5, top + above * down, drawn.plain(part.title), 10, va="bottom")
    if part.why_none:
        axes.text(
            0.5, 0.5, drawn.plain(part.why_none), transform=axes.transAxes, fontsize=8,
            ha="center", va="center", wrap=True,
        )  # fmt: skip


def _round_marks(highest: float) -> list[float]:
    """Round numbers from 0 to *highest*, some five of them."""
    decade = 10.0 ** np.floor(np.log10(highest / 5))
    step = next(each * decade for each in (1, 2, 5, 10) if each * decade * 6 >= highest)
    return [float(n * step) for n in range(int(highest / step * 1.000001) + 1)]
