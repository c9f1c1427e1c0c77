"""How do curves become lines on paper?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float1D = NDArray[np.floating]

WIDTH, HEIGHT = 360, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 8, 8, 34


@dataclass(frozen=True)
class Curve:
    """Values ``y`` (n,) over ``x`` (n,), drawn in the style that CSS gives its class."""

    label: str
    css: str
    x: Float1D
    y: Float1D


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in units of the drawing."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """A curve as points of an SVG polyline."""

    label: str
    css: str
    points: str


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
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    top: int = _TOP
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def unit_square(
    name: str, title: str, alt: str, x_label: str, y_label: str, curves: Sequence[Curve]
) -> Plot:
    """Draw curves whose x and y both run from 0 to 1; what lies outside is cut off.

    Points that are not finite are left out.
    """
    marks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return Plot(
        name=name,
        title=title,
        alt=alt,
        x_label=x_label,
        y_label=y_label,
        x_ticks=tuple(Tick(_across(mark), f"{mark:g}") for mark in marks),
        y_ticks=tuple(Tick(_down(mark), f"{mark:g}") for mark in marks),
        lines=tuple(Line(curve.label, curve.css, _points(curve)) for curve in curves),
    )


def _points(curve: Curve) -> str:
    shown = np.isfinite(curve.x) & np.isfinite(curve.y) & (curve.x >= 0) & (curve.x <= 1)
    y = np.clip(curve.y[shown], 0.0, 1.0)
    pairs = zip(curve.x[shown].tolist(), y.tolist(), strict=True)
    return " ".join(f"{_across(x):.2f},{_down(y):.2f}" for x, y in pairs)


def _across(x: float) -> float:
    return _LEFT + x * (WIDTH - _LEFT - _RIGHT)


def _down(y: float) -> float:
    return _TOP + (1.0 - y) * (HEIGHT - _TOP - _BOTTOM)
