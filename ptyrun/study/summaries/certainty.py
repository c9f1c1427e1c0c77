"""How sure are a study's figures? R-factors and intervals, where comparisons have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ptyrun.errors import NewerError, PtyrunError
from ptyrun.resolutions import BOUND, COMPONENTS
from ptyrun.results import ArmResult, Interval, Metric, Results
from ptyrun.study.files import HubFiles
from ptyrun.study.summaries.manifest import Key
from ptyrun.study.summaries.tables import csv_text, dose_text
from ptyrun.texts import as_cell

_PLACE = ("dose", "view", "split")
HEAD = (*_PLACE, "model", "against", "figure", "value", "low", "high", "beyond", "bound")
RESULTS = "results.json"


def certainty_table(files: HubFiles, keys: Sequence[Key]) -> str | None:
    """``study_certainty.csv``: standard figures with their intervals, and differences with theirs.

    A row without ``against`` is a figure of a model; with it, the figure of the model less that of
    the other, and ``beyond`` says whether that is more than chance. Comparisons that other programs
    made, and those of older versions, have none; None if no comparison has.
    """
    rows: list[Sequence[object]] = []
    for key in sorted(keys):
        if (results := _results(files, key.folder)) is None:
            continue
        place = (dose_text(key.dose), key.view, key.split)
        rows += [(*place, *row) for row in _rows(results)]
    return csv_text([HEAD, *rows]) if rows else None


def intervals_of(files: HubFiles, folder: str) -> dict[tuple[str, str], Interval]:
    """Give the intervals of a comparison by model, and by figure, like ``standard_mae.phase``."""
    results = _results(files, folder)
    if results is None:
        return {}
    return {
        (arm.label, f"standard_{figure}"): interval
        for arm in results.arms.values()
        for figure, interval in arm.intervals.items()
    }


def _results(files: HubFiles, folder: str) -> Results | None:
    name = f"{folder}/{RESULTS}"
    if not files.exists(name):
        return None
    try:
        return Results.from_json(files.text(name), name)
    except NewerError:
        raise
    except PtyrunError:
        return None  # `study verify` says what is wrong with it


def _rows(results: Results) -> Iterator[tuple[object, ...]]:
    for arm in results.arms.values():
        figures = {**arm.intervals, **dict.fromkeys(_unsure(arm.standard, arm.intervals))}
        for figure, interval in figures.items():
            ends = (None, None) if interval is None else (interval.low, interval.high)
            value = _value(arm.standard, figure)
            yield (as_cell(arm.label), "", figure, value, *ends, "", _bound(arm, figure))
    for found in results.differences:
        first, second = results.arms[found.first], results.arms[found.second]
        for figure, interval in found.intervals.items():
            one, other = _value(first.standard, figure), _value(second.standard, figure)
            value = None if one is None or other is None else one - other
            labels = (as_cell(first.label), as_cell(second.label))
            beyond = "yes" if interval.excludes_zero else "no"
            bound = _of_two(first, second, figure)
            yield (*labels, figure, value, interval.low, interval.high, beyond, bound)


def _bound(arm: ArmResult, figure: str) -> str:
    """Whether a figure is at least so much: a resolution that is not reached up to Nyquist."""
    return BOUND if figure in arm.at_least else ""


def _of_two(first: ArmResult, second: ArmResult, figure: str) -> str:
    """The same of a difference; of two bounds nothing is known."""
    kinds = {(True, False): BOUND, (False, True): "<=", (True, True): "?"}
    return kinds.get((figure in first.at_least, figure in second.at_least), "")


def _unsure(standard: Mapping[str, Metric], known: Mapping[str, object]) -> Iterator[str]:
    """R-factors, which are shown also where too few frames give them no interval."""
    for name in ("r_factor", "fourier_error"):
        if f"{name}.value" not in known and standard.get(name, Metric()).value is not None:
            yield f"{name}.value"


def _value(standard: Mapping[str, Metric], figure: str) -> float | None:
    name, _, part = figure.partition(".")
    found = standard.get(name, Metric())
    return found[part] if part in COMPONENTS else None
