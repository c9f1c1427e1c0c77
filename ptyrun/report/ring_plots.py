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
