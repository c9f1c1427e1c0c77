"""How do curves become lines on paper?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float1D = NDArray[np.floating]

WIDTH, HEIGHT = 360, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 20, 34


@dataclass(frozen=True)
class Curve:
    """Values ``y`` (n,) over ``x`` (n,), drawn in the style that CSS gives its class.

    ``low`` and ``high`` (n,) are the ends of an interval, where one is known.
    """

    label: str
    css: str
    x: Float1D
    y: Float1D
    low: Float1D | None = None
    high: Float1D | None = None


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in units of the drawing."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """A curve as points of an SVG polyline, its interval as those of a polygon."""

    label: str
    css: str
    points: str
    band: str = ""


@dataclass(frozen=True)
class Plot:
    """A drawing of 360 by 230 units, its frame and what is inside."""

    name: str
    title: str
    alt: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    top_label: str = ""
    top_ticks: tuple[Tick, ...] = ()
    why_none: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    top: int = _TOP
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


@dataclass(frozen=True)
class PlotGroup:
    """Drawings with one legend."""

    heading: str
    plots: tuple[Plot, ...]

    @property
    def legend(self) -> tuple[Line, ...]:
        """Every line that any of the drawings has, once."""
        lines = {line.label: line for plot in self.plots for line in plot.lines}
        return tuple(lines.values())


def correlations(
    name: str,
    title: str,
    alt: str,
    curves: Sequence[Curve],
    nyquist_per_nm: float | None = None,
    why_none: str = "",
) -> Plot:
    """Draw correlations over frequencies from 0 to Nyquist, down to the least that there is.

    Points that are not finite are left out. With *nyquist_per_nm*, the Nyquist frequency in 1/nm,
    there is a second axis above.
    """
    lowest = min((_least(curve) for curve in curves), default=0.0)
    floor = next((end for end in (0.0, -0.2, -0.5) if lowest >= end - 0.01), -1.0)
    marks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    upright = [mark for mark in (-1.0, -0.5, -0.2) if mark >= floor] + marks
    tops: tuple[Tick, ...] = ()
    if nyquist_per_nm is not None:
        tops = ticks_along(nyquist_per_nm)
    return Plot(
        name=name,
        title=title,
        alt=alt,
        x_label="spatial frequency / Nyquist",
        y_label="correlation",
        x_ticks=tuple(Tick(across(mark), f"{mark:g}") for mark in marks),
        y_ticks=tuple(Tick(down(mark, floor), f"{mark:g}".replace("-", "−")) for mark in upright),
        lines=tuple(line(curve, floor) for curve in curves),
        top_label="" if nyquist_per_nm is None else "1/nm",
        top_ticks=tops,
        why_none=why_none,
    )


def _least(curve: Curve) -> float:
    known = curve.y[np.isfinite(curve.y)]
    return float(known.min()) if known.size else 0.0


def ticks_along(length: float) -> tuple[Tick, ...]:
    """Mark an axis from 0 to *length* at round numbers, in its unit."""
    step = round_step(length / 5)
    counts = range(int(length / step * 1.000001) + 1)
    return tuple(Tick(across(n * step / length), f"{n * step:.6g}") for n in counts)


def round_step(least: float) -> float:
    """Give the least of 1, 2 and 5 times powers of ten that is no less."""
    decade = 10.0 ** math.floor(math.log10(least))
    return next(step for factor in (1, 2, 5, 10) if (step := factor * decade) >= least * 0.999)


def line(curve: Curve, floor: float) -> Line:
    """Draw a curve, x from 0 to 1, y from *floor* to 1; what is not finite is left out."""
    band = ""
    if curve.low is not None and curve.high is not None:
        there = _points(curve.x, curve.low, floor)
        band = " ".join([*there, *reversed(_points(curve.x, curve.high, floor))])
    return Line(curve.label, curve.css, " ".join(_points(curve.x, curve.y, floor)), band)


def _points(x: Float1D, y: Float1D, floor: float) -> list[str]:
    shown = np.isfinite(x) & np.isfinite(y) & (x >= 0) & (x <= 1)
    pairs = zip(x[shown].tolist(), np.clip(y[shown], floor, 1.0).tolist(), strict=True)
    return [f"{across(along):.2f},{down(up, floor):.2f}" for along, up in pairs]


def across(x: float) -> float:
    """Where x from 0 to 1 lies on the drawing."""
    return _LEFT + x * (WIDTH - _LEFT - _RIGHT)


def down(y: float, floor: float) -> float:
    """Where y from *floor* to 1 lies on the drawing."""
    return _TOP + (1.0 - y) / (1.0 - floor) * (HEIGHT - _TOP - _BOTTOM)
