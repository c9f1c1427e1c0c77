"""What do the trials of one case amount to? Mean and spread, as upstream computes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ptyrun.resolutions import is_at_least
from ptyrun.results import Interval
from ptyrun.study.summaries.rows import PAIR
from ptyrun.study.sweeps.points import Point, Sweep

VALUE = "value"  # of a metric that has no amplitude and phase, as R-factors
# Times differ between equal studies, and offsets are no quality.
_NOT_FOLLOWED = ("computation_time", "registration_offset")
# Beyond these a number is a failure, by upstream's rule.
_MOST = {"ssim": 1.0, "ms_ssim": 1.0}
_NOT_NEGATIVE = ("psnr", "ssim", "ms_ssim", "frc50", "mae", "mse")


@dataclass(frozen=True)
class Spread:
    """Statistics of n numbers; ``std`` is that of a sample, 0 for a single number.

    ``p25`` and ``p75`` are percentiles, interpolated linearly.
    """

    n: int
    mean: float
    std: float
    p25: float
    p75: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread | None:
        """Sum up the numbers that are finite; None if there is none."""
        known = np.array([each for each in numbers if math.isfinite(each)])
        if not len(known):
            return None
        p25, p75 = np.percentile(known, [25, 75]).tolist()
        std = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
        mean, least, most = float(np.mean(known)), float(known.min()), float(known.max())
        return cls(len(known), mean, std, p25, p75, least, most)


def in_range(metric: str, number: float | None) -> float:
    """Give the number, or NaN where it is none or cannot be."""
    if number is None:
        return math.nan
    is_wrong = metric in _NOT_NEGATIVE and not 0 <= number <= _MOST.get(metric, math.inf)
    return math.nan if is_wrong else number


@dataclass(frozen=True)
class Case:
    """One metric of one model in one view and split: a curve of the sweep."""

    model: str
    view: str
    split: str
    metric: str
    component: str

    def number(self, point: Point) -> float:
        """What a comparison found; NaN where it found nothing."""
        if (point.view, point.split) != (self.view, self.split):
            return math.nan
        for row in point.rows:
            if (row.model, row.metric) == (self.model, self.metric):
                return in_range(self.metric, row.component(self.component))
        return math.nan

    def is_at_least(self, point: Point) -> bool:
        """Whether that is a bound: a resolution that is not reached up to Nyquist."""
        standard = self.metric.removeprefix("standard_")
        return standard != self.metric and is_at_least(standard, self.number(point))

    def interval(self, point: Point) -> Interval | None:
        """Between which values that lies, where the comparison says it."""
        if not math.isfinite(self.number(point)):
            return None
        return point.intervals.get((self.model, f"{self.metric}.{self.component}"))

    def spread(self, sweep: Sweep, at: int) -> Spread | None:
        """What the trials at one place of the axis amount to; None if they found nothing."""
        return Spread.of(self.number(point) for point in sweep.points if point.at == at)


def cases(sweep: Sweep) -> Iterator[Case]:
    """Give every curve that has a number, metric by metric."""
    keys = {
        (row.metric, component): None
        for point in sweep.points
        for row in point.rows
        if not row.metric.startswith(_NOT_FOLLOWED)
        for component in (*PAIR, VALUE)
    }
    models = list(dict.fromkeys(row.model for point in sweep.points for row in point.rows))
    places = sorted({(point.view, point.split) for point in sweep.points})
    for metric, component in keys:
        for model in models:
            for view, split in places:
                case = Case(model, view, split, metric, component)
                if any(math.isfinite(case.number(point)) for point in sweep.points):
                    yield case
