"""How does a metric run with dose or training size? A page with one drawing per metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ptyrun.report.curves import HEIGHT, WIDTH, Line, Plot, Tick
from ptyrun.report.page import environment

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_TICKS = 6
_NARROW_LABEL = 34  # units between two labels on the axis


@dataclass(frozen=True)
class Sample:
    """One comparison: where it stands, what it found, and the page that says more of it."""

    x: float
    y: float
    href: str
    title: str


@dataclass(frozen=True)
class Middle:
    """What the trials at one place amount to: their mean, and the ends of their middle half."""

    x: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """One curve: its samples, and the mean at each place; CSS gives its class a style."""

    label: str
    css: str
    samples: tuple[Sample, ...]
    middles: tuple[Middle, ...]


@dataclass(frozen=True)
class Mark:
    """A point on paper that leads to a page."""

    at_x: float
    at_y: float
    css: str
    href: str
    title: str


@dataclass(frozen=True)
class SweepPlot:
    """A frame with curves, the marks on them, and the bands around them."""

    frame: Plot
    marks: tuple[Mark, ...]
    bands: tuple[Line, ...]


@dataclass(frozen=True)
class Cell:
    """One mean with its spread, as text; *is_best* of its column."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class SweepTable:
    """Means and spreads of one metric: a row per curve, a column per place on the axis."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class Chapter:
    """One metric: a drawing and a table for amplitude, and for phase."""

    name: str
    heading: str
    text: str
    plots: tuple[SweepPlot, ...]
    tables: tuple[SweepTable, ...]


@dataclass(frozen=True)
class Key:
    """One entry of the legend."""

    label: str
    css: str


@dataclass(frozen=True)
class SweepPage:
    """Everything that the page of a sweep shows."""

    title: str
    summary: tuple[tuple[str, str], ...]
    text: str
    legend: tuple[Key, ...]
    chapters: tuple[Chapter, ...]
    files: tuple[str, ...]


def html(page: SweepPage) -> str:
    """One self-contained HTML document: no script, and nothing is fetched."""
    return environment(autoescape=True).get_template("sweep.html.j2").render(page=page)


def log_plot(
    name: str, title: str, x_label: str, y_label: str, series: Sequence[Series]
) -> SweepPlot:
    """Draw curves over a logarithmic axis.

    Parameters
    ----------
    name, title, x_label, y_label : str
    series : sequence of Series
        With x above zero and finite y, at least one sample.
    """
    frame = Plot(name, title, f"{title} against {x_label}", x_label, y_label, (), (), ())
    x_values = sorted({each.x for one in series for each in one.samples})
    y_values = [each.y for one in series for each in one.samples]
    across = _Scale.logarithmic(x_values, frame.left, frame.right)
    y_ticks = _ticks(min(y_values), max(y_values))
    down = _Scale(y_ticks[0], y_ticks[-1], frame.bottom, frame.top)
    lines, bands, marks = [], [], []
    for one in series:
        points = [(across.at(math.log10(m.x)), down.at(m.mean)) for m in one.middles]
        lines.append(Line(one.label, one.css, _joined(points)))
        if any(m.high > m.low for m in one.middles):
            above = [(across.at(math.log10(m.x)), down.at(m.high)) for m in one.middles]
            below = [(across.at(math.log10(m.x)), down.at(m.low)) for m in one.middles]
            bands.append(Line(one.label, one.css, _joined([*above, *reversed(below)])))
        marks += [
            Mark(across.at(math.log10(s.x)), down.at(s.y), one.css, s.href, s.title)
            for s in one.samples
        ]
    frame = replace(
        frame,
        x_ticks=tuple(_thinned([Tick(across.at(math.log10(x)), f"{x:g}") for x in x_values])),
        y_ticks=tuple(Tick(down.at(y), _number(y, y_ticks)) for y in y_ticks),
        lines=tuple(lines),
        width=WIDTH,
        height=HEIGHT,
    )
    return SweepPlot(frame, tuple(marks), tuple(bands))


@dataclass(frozen=True)
class _Scale:
    """From values to units of the drawing."""

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def logarithmic(cls, values: Sequence[float], begin: float, end: float) -> _Scale:
        low, high = math.log10(values[0]), math.log10(values[-1])
        room = 0.06 * (high - low) if high > low else 0.5
        return cls(low - room, high + room, begin, end)

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 2)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose all values, at equal steps.

    Examples
    --------
    >>> _ticks(0.72, 0.93)
    [0.7, 0.8, 0.9, 1.0]
    >>> _ticks(0.5, 0.5)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if not high > low:
        room = abs(low) or 1.0
        low, high = low - room, high + room
    rough = (high - low) / (_MOST_TICKS - 2)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in _STEPS if power * each >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def _number(value: float, ticks: Sequence[float]) -> str:
    text = f"{value:.4g}" if len(ticks) < 2 else f"{value:.6g}"
    return text.replace("-", "−")


def _thinned(ticks: Sequence[Tick]) -> list[Tick]:
    """Leave out labels that would lie on each other; their lines stay."""
    found: list[Tick] = []
    last = -math.inf
    for tick in ticks:
        has_room = tick.at - last >= _NARROW_LABEL
        found.append(tick if has_room else replace(tick, label=""))
        last = tick.at if has_room else last
    return found


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
