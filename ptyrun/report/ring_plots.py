"""Up to which detail do images agree? Ring correlations over spatial frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
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
_POINT = 1 / 72  # in inches
_HANDLE, _BESIDE_HANDLE, _BETWEEN = 16 * _POINT, 6.4 * _POINT, 16 * _POINT  # in a legend


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

    @property
    def colour(self) -> str:
        """Of the curve and its interval."""
        return "#55616e" if self.is_threshold else COLOURS[self.style % len(COLOURS)]

    @property
    def dashes(self) -> tuple[float, tuple[float, ...] | None]:
        """As matplotlib takes them."""
        return (0, DASHES[self.style % len(DASHES)] if self.is_threshold else None)


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


@dataclass(frozen=True)
class _Panel:
    """A box on the sheet, in inches, for x from 0 to 1 and y from *lowest* to *highest*."""

    left: float
    bottom: float
    width: float
    height: float
    lowest: float
    highest: float

    def at(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Where values (n,) lie on the sheet: (n, 2) in inches."""
        ups = (np.asarray(y, float) - self.lowest) / (self.highest - self.lowest)
        across = self.left + self.width * np.asarray(x, float)
        return np.column_stack(np.broadcast_arrays(across, self.bottom + self.height * ups))


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
    width = _WIDE * max(len(row) for row in rows)
    legends = [_legend_columns(row, width) for row in rows]
    above = 0.45 if pixel_size_m is None else 0.75
    tall = [
        above + _TALL + _BELOW_INCHES + _LEGEND_INCHES * max(map(len, columns), default=0)
        for columns in legends
    ]
    height = sum(tall) + _TITLE_INCHES
    figure, sheet = drawn.sheet(width, height)
    sheet.text(width / 2, height - 0.1, drawn.plain(title), fontsize=10, ha="center", va="top")
    top = height - _TITLE_INCHES
    for row, columns, inches in zip(rows, legends, tall, strict=True):
        _row(sheet, row, width, top - above - _TALL, pixel_size_m)
        if columns:
            _legend(sheet, columns, width / 2, top - inches)
        top -= inches
    return figure


def _legend_columns(row: Sequence[Rings], width: float) -> list[list[Line]]:
    """Each name once, in as many columns as fit."""
    lines: dict[str, Line] = {}
    for line in (line for part in row for line in part.lines):
        lines.setdefault(line.label, line)
    named = list(lines.values())
    for n_columns in range(min(3 * len(row), len(named)), 0, -1):
        ends = np.linspace(0, len(named), n_columns + 1).round().astype(int).tolist()
        columns = [named[slice(*each)] for each in pairwise(ends)]
        if n_columns == 1 or sum(map(_inches, columns)) + _BETWEEN * (n_columns - 1) <= width:
            return columns
    return []


def _inches(column: Sequence[Line]) -> float:
    words = (drawn.width_inches(drawn.short(line.label), 8) for line in column)
    return _HANDLE + _BESIDE_HANDLE + max(words)


def _row(
    sheet: Axes, row: Sequence[Rings], width: float, bottom: float, pixel_size_m: float | None
) -> None:
    lowest = min((part.lowest for part in row), default=0.0)
    wide = width / len(row)
    for number, part in enumerate(row):
        left = wide * (number + 0.15)
        panel = _Panel(left, bottom, wide * 0.82, _TALL, min(-0.05, lowest - 0.05), 1.05)
        frame = Rectangle(
            (panel.left, panel.bottom), panel.width, panel.height, fill=False, ec="#222222", lw=0.8
        )
        sheet.add_patch(frame)
        _put_curves(sheet, panel, part.lines, frame)
        _put_marks(sheet, panel, pixel_size_m)
        up = bottom + _TALL + (6 if pixel_size_m is None else 26) * _POINT
        _put(sheet, left + panel.width / 2, up, drawn.plain(part.title), 10, va="bottom")
        if part.why_none:
            ((middle, up),) = panel.at(0.5, (panel.lowest + panel.highest) / 2)
            _put(sheet, middle, up, drawn.plain(part.why_none), va="center", wrap=True)


def _put(sheet: Axes, x: float, y: float, text: str, size: float = 8, **options: Any) -> None:
    sheet.text(x, y, text, fontsize=size, **{"ha": "center", "va": "top", **options})


def _put_curves(sheet: Axes, panel: _Panel, lines: Sequence[Line], frame: Rectangle) -> None:
    """Draw curves and intervals of a panel; one by one they would take most of the time."""
    bands, shades = [], []
    for line in lines:
        if line.low is None or line.high is None:
            continue
        for known in _stretches(np.isfinite(line.low + line.high)):
            low, high = (panel.at(line.x[known], ends[known]) for ends in (line.low, line.high))
            bands.append(np.concatenate([low, high[::-1]]))
            shades.append(to_rgba(line.colour, 0.2))
    curves = _lines([panel.at(line.x, line.y) for line in lines], lines)
    for drawing in (PolyCollection(bands, facecolors=shades, linewidths=0, zorder=1), curves):
        sheet.add_collection(drawing, autolim=False)
        drawing.set_clip_path(frame)


def _stretches(known: NDArray[np.bool_]) -> list[slice]:
    """Where what is known begins and ends."""
    edges = np.flatnonzero(np.diff(known, prepend=False, append=False))
    return [slice(*ends) for ends in edges.reshape(-1, 2).tolist()]


def _lines(places: Sequence[NDArray[np.float64]], styles: Sequence[Line]) -> LineCollection:
    return LineCollection(
        places,
        colors=[line.colour for line in styles],
        linewidths=[0.9 if line.is_threshold else 1.6 for line in styles],
        linestyles=[line.dashes for line in styles],
        zorder=2,
    )


def _legend(sheet: Axes, columns: Sequence[Sequence[Line]], middle: float, bottom: float) -> None:
    """Name each line; matplotlib's takes several times as long."""
    wide = [_inches(column) for column in columns]
    left = middle - (sum(wide) + _BETWEEN * (len(columns) - 1)) / 2
    highest = bottom + 0.16 + _LEGEND_INCHES * (max(map(len, columns)) - 1)
    handles = []
    for column, inches in zip(columns, wide, strict=True):
        for number, line in enumerate(column):
            up = highest - _LEGEND_INCHES * number
            handles.append(np.array([(left, up), (left + _HANDLE, up)]))
            words = left + _HANDLE + _BESIDE_HANDLE
            _put(sheet, words, up, drawn.short(line.label), ha="left", va="center")
        left += inches + _BETWEEN
    sheet.add_collection(_lines(handles, list(chain(*columns))), autolim=False)


def _put_marks(sheet: Axes, panel: _Panel, pixel_size_m: float | None) -> None:
    """Draw grid, numbers and what they are of."""
    low, high = panel.lowest, panel.highest
    ups = [n / 5 for n in range(-5, 6) if low <= n / 5 <= high]
    grid = [panel.at((0, 1), up) for up in ups] + [panel.at(x, (low, high)) for x in _ACROSS]
    sheet.add_collection(_thin(grid, "#e3e7ec", 0.6), autolim=False)
    sheet.add_collection(_thin([panel.at((0, 1), 0)], "#b4bcc6", 0.7), autolim=False)
    for x, (across, up) in zip(_ACROSS, panel.at(_ACROSS, low), strict=True):
        _put(sheet, across, up - 4 * _POINT, f"{x:g}")
    for y, (across, up) in zip(ups, panel.at(0, ups), strict=True):
        words = f"{y:g}".replace("-", "−")
        _put(sheet, across - 4 * _POINT, up, words, ha="right", va="center")
    middle = panel.left + panel.width / 2
    _put(sheet, middle, panel.bottom - 16 * _POINT, "spatial frequency / Nyquist")
    up = panel.bottom + panel.height / 2
    _put(sheet, panel.left - 30 * _POINT, up, "correlation", rotation=90, va="center")
    if pixel_size_m is None:
        return
    nyquist_per_nm = 1e-9 / (2 * pixel_size_m)
    marks = _round_marks(nyquist_per_nm)
    places = panel.at(np.array(marks) / nyquist_per_nm, high)
    ticks = [np.array([place, place - (0, 4 * _POINT)]) for place in places]
    sheet.add_collection(_thin(ticks, "#222222", 0.8), autolim=False)
    for mark, (across, up) in zip(marks, places, strict=True):
        _put(sheet, across, up + 3 * _POINT, f"{mark:.3g}", 7, va="bottom")
    _put(sheet, middle, panel.bottom + panel.height + 13 * _POINT, "1/nm", va="bottom")


def _thin(places: Sequence[NDArray[np.float64]], colour: str, width: float) -> LineCollection:
    return LineCollection(places, colors=colour, linewidths=width, zorder=0)


def _round_marks(highest: float) -> list[float]:
    """Round numbers from 0 to *highest*, some five of them."""
    decade = 10.0 ** np.floor(np.log10(highest / 5))
    step = next(each * decade for each in (1, 2, 5, 10) if each * decade * 6 >= highest)
    return [float(n * step) for n in range(int(highest / step * 1.000001) + 1)]
