"""How does every figure of a comparison stand in one table, a figure a row?"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter

from ptyrun.resolutions import BOUND, COMPONENTS
from ptyrun.results import Interval, Metric, Results
from ptyrun.texts import as_cell

EDGE_SOURCE = (
    "from 10 to 90 % of the way between the medians of the line's first and last quarters, as the "
    "edge spread function of ISO 12233:2023"
)
NUMBERS = ("value", "low", "high")


@dataclass(frozen=True)
class Figure:
    """One row. ``why_none`` says why there is no value, where the results say it.

    ``bound`` is ``>=`` where the value is the least that it can be.
    """

    arm: str
    label: str
    definition: str
    metric: str
    component: str
    value: float | None
    low: float | None = None
    high: float | None = None
    source: str = ""
    why_none: str = ""
    bound: str = ""


COLUMNS = tuple(field.name for field in fields(Figure))
_cells = attrgetter(*COLUMNS)  # in their order


def metrics_csv(results: Results) -> str:
    """Write every figure as a long table, one row each; its columns are those of `Figure`."""
    memory = io.StringIO()
    writer = csv.writer(memory, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_cell, _cells(row)) for row in _figures(results))
    return memory.getvalue()


def read(text: str) -> list[dict[str, str | float]]:
    r"""Read such a table, numbers as numbers: NaN where there is none.

    Examples
    --------
    >>> read("metric,value,low\nfrc50,1.0,\n")
    [{'metric': 'frc50', 'value': 1.0, 'low': nan}]
    """
    return [
        {name: float(cell or "nan") if name in NUMBERS else cell for name, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]


def _cell(value: str | float | None) -> str:
    return as_cell(value) if isinstance(value, str) else "" if value is None else repr(value)


def _figures(results: Results) -> Iterator[Figure]:
    for name, arm in results.arms.items():
        for metric, found in arm.metrics.items():
            for part in COMPONENTS:
                if found[part] is not None:
                    yield Figure(name, arm.label, "upstream", metric, part, found[part])
        about = (results.sources, arm.undefined, arm.intervals, arm.at_least)
        yield from _by_the_standard(name, arm.label, "standard", arm.standard, *about)
        if arm.own is not None:
            about = (results.sources, arm.own.undefined, {}, arm.own.at_least)
            yield from _by_the_standard(name, arm.label, "own", arm.own.standard, *about)
        for metric, value in arm.diagnostics.items():
            yield Figure(name, arm.label, "diagnostic", metric, "value", value)
    for name, profile in ({} if results.line is None else results.line.profiles).items():
        label = results.arms[name].label if name in results.arms else results.object_role
        for part in COMPONENTS[:2]:
            width_px, why = (getattr(profile, f"{part}_{what}") for what in ("edge_px", "why_none"))
            if width_px is not None or why:
                yield Figure(
                    name,
                    label,
                    "line",
                    "edge_width_px",
                    part,
                    width_px,
                    None,
                    None,
                    EDGE_SOURCE,
                    why,
                )
    for pair in results.pairs:
        about = (results.sources, pair.undefined, {}, pair.at_least)
        both = f"{pair.first}/{pair.second}"
        yield from _by_the_standard(both, "", "standard", pair.standard, *about)


def _by_the_standard(
    arm: str,
    label: str,
    definition: str,
    metrics: Mapping[str, Metric],
    sources: Mapping[str, str],
    undefined: Mapping[str, str],
    intervals: Mapping[str, Interval],
    at_least: Collection[str],
) -> Iterator[Figure]:
    for metric, found in metrics.items():
        for part in COMPONENTS:
            figure, value = f"{metric}.{part}", found[part]
            why = undefined.get(figure, "")
            if value is None and not why:
                continue
            ends = intervals.get(figure)
            low, high = (None, None) if ends is None else (ends.low, ends.high)
            source = sources.get(metric, "")
            what = (arm, label, definition, metric, part, value, low, high)
            yield Figure(*what, source, why, BOUND if figure in at_least else "")
