"""What does the page of a sweep show? One drawing and one table for each metric's parts."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from urllib.parse import quote

from ptyrun.report.colours import number
from ptyrun.report.sweeps import (
    Cell,
    Chapter,
    Key,
    Middle,
    Sample,
    Series,
    SweepPage,
    SweepTable,
    html,
    log_plot,
)
from ptyrun.report.tables import better, heading, place_of
from ptyrun.results import Interval
from ptyrun.study.analysis import METRICS_CSV, PAGE
from ptyrun.study.files import HubFiles
from ptyrun.study.sweeps.points import Point, Sweep
from ptyrun.study.sweeps.statistics import VALUE, Case, Spread, cases
from ptyrun.texts import printable

N_COLOURS, N_DASHES = 8, 4
STANDARD, OWN = "standard_", "own_"


def page(files: HubFiles, sweep: Sweep, folder: str, others: Sequence[str]) -> str:
    """Give the page as HTML.

    Parameters
    ----------
    files : HubFiles
    sweep : Sweep
    folder : str
        Where the page will lie, below the hub: links are relative to it.
    others : sequence of str
        Files beside it that hold the same figures.
    """
    return html(_Page(files, sweep, folder).made(others))


class _Page:
    def __init__(self, files: HubFiles, sweep: Sweep, folder: str) -> None:
        self._files, self._sweep, self._folder = files, sweep, folder
        self._cases = list(cases(sweep))
        self._models = list(dict.fromkeys(case.model for case in self._cases))
        self._places = list(dict.fromkeys((case.view, case.split) for case in self._cases))

    def made(self, others: Sequence[str]) -> SweepPage:
        sweep = self._sweep
        trials = {(point.view, point.split, point.at): 0 for point in sweep.points}
        for point in sweep.points:
            trials[point.view, point.split, point.at] += 1
        most, least = max(trials.values()), min(trials.values())
        n_trials = f"{most}" if most == least else f"{least} to {most}"
        summary = [
            (sweep.axis.label.capitalize(), ", ".join(f"{at:g}" for at in sweep.values)),
            ("Comparisons", str(len(sweep.points))),
            ("Arms", ", ".join(map(printable, self._models))),
            *([("Trials each", n_trials)] if most > 1 else []),
        ]
        text = "Each point is one comparison and leads to its page."
        if most > 1:
            text += " Lines are means over trials, bands the middle half of them (25 to 75 %)."
        if any(point.intervals for point in sweep.points):
            text += " In brackets: between which values a figure of one comparison lies (95 %)."
        chapters = [self._chapter(metric) for metric in self._metrics()]
        title = f"{printable(self._files.root.absolute().name)}: metrics against {sweep.axis.label}"
        return SweepPage(
            title, tuple(summary), text, self._legend(), tuple(chapters), tuple(others)
        )

    def _metrics(self) -> list[str]:
        """Give those of the page, in order; figures on an arm's own pixels compare no arms."""
        found = {case.metric for case in self._cases if not case.metric.startswith(OWN)}
        return sorted(found, key=_place_of)

    def _legend(self) -> tuple[Key, ...]:
        """Colours are arms; where there are several views or splits, dashes are these."""
        arms = [Key(printable(m), f"c{i % N_COLOURS}") for i, m in enumerate(self._models)]
        places = [
            Key(_place(view, split), f"ink {_dash(index)}".strip())
            for index, (view, split) in enumerate(self._places)
        ]
        return (*arms, *(places if len(places) > 1 else []))

    def _label(self, case: Case) -> str:
        model = printable(case.model)
        return model if len(self._places) == 1 else f"{model} ({_place(case.view, case.split)})"

    def _css(self, case: Case) -> str:
        colour = self._models.index(case.model) % N_COLOURS
        return f"c{colour} {_dash(self._places.index((case.view, case.split)))}".strip()

    def _chapter(self, metric: str) -> Chapter:
        mine = sorted(
            (case for case in self._cases if case.metric == metric),
            key=lambda case: case.component,
        )
        parts = [
            (part, list(found)) for part, found in groupby(mine, key=lambda case: case.component)
        ]
        name = _heading(metric)
        side = better(metric)
        return Chapter(
            name=f"metric-{self._metrics().index(metric)}",
            heading=printable(name),
            text=f"{side.capitalize()} is better." if side else "",
            plots=tuple(
                log_plot(
                    f"{self._metrics().index(metric)}-{part}",
                    _titled(name, part),
                    self._sweep.axis.label,
                    "",  # the title above says it
                    [self._series(case) for case in found],
                )
                for part, found in parts
            ),
            tables=tuple(self._table(_titled(name, part), each) for part, each in parts),
        )

    def _best(self, case: Case, at: int) -> float | None:
        """The best mean of all arms in the same view, split and place, if there are several."""
        rivals = [replace(case, model=model) for model in self._models]
        found = [rival.spread(self._sweep, at) for rival in rivals]
        means = [each.mean for each in found if each is not None]
        side = better(case.metric)
        if not side or len(means) < 2 or min(means) == max(means):
            return None
        return min(means) if side == "lower" else max(means)

    def _series(self, case: Case) -> Series:
        samples = [
            Sample(point.at, value, self._href(point), self._title(case, point))
            for point in self._sweep.points
            if math.isfinite(value := case.number(point))
        ]
        middles = [
            Middle(at, found.mean, found.p25, found.p75)
            for at in self._sweep.values
            if (found := case.spread(self._sweep, at)) is not None
        ]
        return Series(self._label(case), self._css(case), tuple(samples), tuple(middles))

    def _href(self, point: Point) -> str:
        target = f"{point.folder}/{PAGE}"
        if not self._files.exists(target):
            target = f"{point.folder}/{METRICS_CSV}"
        return quote(posixpath.relpath(target, self._folder))

    def _title(self, case: Case, point: Point) -> str:
        place = f"{self._sweep.axis.label} {point.at:g}, trial {point.trial}"
        known = case.interval(point)
        bound = "≥ " if case.is_at_least(point) else ""
        ends = "" if known is None else f" ({known.low:.4g} to {known.high:.4g})"
        return f"{self._label(case)}, {place}: {bound}{case.number(point):.6g}{ends}"

    def _bound(self, case: Case, at: int) -> str:
        """Mark what is at least so much, as is a mean of figures of which one is."""
        points = (point for point in self._sweep.points if point.at == at)
        return "≥ " if any(case.is_at_least(point) for point in points) else ""

    def _interval(self, case: Case, at: int) -> Interval | None:
        """Give that of the comparison at one place, if there is just one."""
        found = [
            point
            for point in self._sweep.points
            if point.at == at and math.isfinite(case.number(point))
        ]
        return case.interval(found[0]) if len(found) == 1 else None

    def _table(self, caption: str, mine: Sequence[Case]) -> SweepTable:
        values = self._sweep.values
        found = [[case.spread(self._sweep, at) for at in values] for case in mine]
        means = [each.mean for row in found for each in row if each is not None]
        width = (max(means) - min(means)) or abs(means[0]) or 1.0
        rows = tuple(
            (
                self._label(case),
                tuple(
                    Cell(
                        self._bound(case, at) + _text(each, width, self._interval(case, at)),
                        each is not None and each.mean == self._best(case, at),
                    )
                    for at, each in zip(values, row, strict=True)
                ),
            )
            for case, row in zip(mine, found, strict=True)
        )
        return SweepTable(caption, tuple(f"{at:g}" for at in values), rows)


def _heading(metric: str) -> str:
    if metric.startswith(STANDARD):
        return f"{heading(metric.removeprefix(STANDARD))} (standard)"
    return heading(metric)


def _place_of(metric: str) -> tuple[bool, tuple[int, str]]:
    """Upstream's metrics stand before standard ones."""
    return metric.startswith(STANDARD), place_of(metric.removeprefix(STANDARD))


def _place(view: str, split: str) -> str:
    return printable(", ".join(part for part in (view, split) if part)) or "all"


def _dash(index: int) -> str:
    """Give the class of a line's dashes; the first place has none."""
    return f"t{(index - 1) % N_DASHES}" if index else ""


def _titled(name: str, part: str) -> str:
    return printable(name) if part == VALUE else f"{printable(name)}, {part}"


def _text(found: Spread | None, width: float, known: Interval | None) -> str:
    if found is None:
        return "–"
    text = number(found.mean, width)
    if known is not None:
        return f"{text} ({number(known.low, width)} to {number(known.high, width)})"
    return f"{text} ± {number(found.std, width)}" if found.n > 1 else text
