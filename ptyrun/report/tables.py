"""Which figures stand where, and which of them is the best of its row?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ptyrun.report.empty import UNKNOWN
from ptyrun.resolutions import AT_LEAST, COMPONENTS, is_at_least
from ptyrun.results import OF_HALVES, Interval, Metric, OwnRegion, PairResult, Results

MISSING = "–"
_OF_TRUTH = (
    "Thresholds of two noisy images are higher against a noise-free truth: 1/7 becomes 0.5, so "
    "that FRC50 and FRC 1/7 are the same figure there, and ½ bit and 1 bit rise alike."
)
_LOWER_IS_BETTER = ("mae", "mse", "rmse", "nrmse", "error", "residual", "factor")
_HIGHER_IS_BETTER = ("psnr", "ssim", "frc", "coherence", "correlation")
_HEADINGS = {
    "mae": "MAE",
    "mse": "MSE",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "frc50": "FRC50",
    "frc1over7": "FRC 1/7",
    "frc_half_bit": "FRC ½ bit",
    "frc_one_bit": "FRC 1 bit",
    "r_factor": "R-factor",
    "fourier_error": "Fourier error",
}


@dataclass(frozen=True)
class Cell:
    """One figure as text, between which values it lies by chance, and which note says why none."""

    text: str
    is_best: bool = False
    interval: str = ""
    note: int | None = None


@dataclass(frozen=True)
class TableRow:
    """One metric's component, for every column."""

    heading: str
    component: str
    better: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Figures, one column for each arm or pair; ``reasons`` say why cells have none."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    sources: tuple[tuple[str, str], ...] = ()
    reasons: tuple[str, ...] = ()
    text: str = ""


def upstream_table(results: Results) -> Table:
    """The metrics under upstream's names and by its definitions."""
    return _table(
        "upstream",
        "PtychoPINN’s definitions, under its names",
        {arm.label: arm.metrics for arm in results.arms.values()},
        {},
        is_ranked=results.have_one_region,
        is_surely=_surely(results),
    )


def standard_table(results: Results, *, is_ranked: bool = True) -> Table:
    """The metrics as the field defines them, with their sources; *is_ranked* where they may be."""
    found = _table(
        "standard",
        "Standard definitions",
        {arm.label: arm.standard for arm in results.arms.values()},
        results.sources,
        is_ranked=is_ranked and results.are_comparable,
        is_surely=_surely(results),
        intervals=[arm.intervals for arm in results.arms.values()],
        undefined=[arm.undefined for arm in results.arms.values()],
        at_least=[arm.at_least for arm in results.arms.values()],
    )
    is_of_truth = any(arm.frc_thresholds != OF_HALVES for arm in results.arms.values())
    return replace(found, text=_OF_TRUTH if is_of_truth and results.is_measured else "")


def halves_table(results: Results) -> Table:
    """Up to which frequency the even and the odd groups of each network agree."""
    halves = [
        (arm.label, OwnRegion(1.0, None, found.precision, found.undefined, (), found.at_least))
        for arm in results.arms.values()
        if (found := arm.halves) is not None
    ]
    caption = "Even against odd groups of one network: precision, not accuracy"
    return _unranked("halves", caption, halves, results.sources)


def own_table(results: Results) -> Table:
    """The standard metrics of each arm on all pixels that it covers; these rank nothing."""
    owned = [
        (arm.label, arm.own)
        for arm in results.arms.values()
        if arm.own is not None and arm.has_own_pixels
    ]
    table = _unranked("own", "Each arm on its own pixels", owned, results.sources)
    labels = {label for label, _ in owned}
    others = [arm.label for arm in results.arms.values() if arm.own and arm.label not in labels]
    text = f"Of {', '.join(others)} these are the pixels compared above." if others else ""
    return replace(table, text=text)


def pair_table(results: Results) -> Table:
    """Arms against each other; none is ranked, since the second's unit is that of its pair."""
    pairs = [(" – ".join(results.labels_of(pair)), pair) for pair in results.pairs]
    text = (
        "In each pair the second arm stands for the truth: contrast transfer is the first one's "
        "contrast over the second one's. Arms lie as they do above; without a reference the first "
        "is registered to the second unless registration is skipped, and where a note says so."
    )
    return replace(_unranked("pairs", "Arms against each other", pairs, results.sources), text=text)


def diagnostics_table(results: Results) -> Table:
    """The DIAGNOSTIC figures of what every arm gave."""
    kinds = {arm.kind for arm in results.arms.values() if arm.diagnostics}
    given = " and ".join(
        what
        for what, is_there in (
            ("predictions", kinds - {"reconstruction"}),
            ("reconstructions", "reconstruction" in kinds),
        )
        if is_there
    )
    columns = {
        arm.label: {name: Metric(value=value) for name, value in arm.diagnostics.items()}
        for arm in results.arms.values()
        if arm.diagnostics
    }
    return _table("diagnostics", f"Absolute values of the {given}", columns, {})


def better(metric: str) -> str:
    """``lower``, ``higher``, or nothing where neither is better.

    Examples
    --------
    >>> better("ms_ssim"), better("frc50"), better("nrmse"), better("registration_offset_dy")
    ('higher', 'higher', 'lower', '')
    """
    words = metric.lower().replace("-", "_").split("_")
    if any(word in _LOWER_IS_BETTER for word in words):
        return "lower"
    return "higher" if any(word.startswith(_HIGHER_IS_BETTER) for word in words) else ""


def figure(value: float | None) -> str:
    """Write a figure with four digits.

    Examples
    --------
    >>> figure(-0.012344), figure(0.77), figure(4980.4), figure(3211264.0), figure(None)
    ('−0.01234', '0.7700', '4980', '3211264', '–')
    """
    if value is None:
        return MISSING
    text = f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:#.4g}"
    return text.replace("-", "−")


def _unranked(
    name: str,
    caption: str,
    found: Sequence[tuple[str, OwnRegion | PairResult]],
    sources: Mapping[str, str],
) -> Table:
    columns = {label: each.standard for label, each in found}
    return _table(
        name,
        caption,
        columns,
        sources,
        is_ranked=False,
        undefined=[each.undefined for _, each in found],
        at_least=[each.at_least for _, each in found],
    )


def _table(
    name: str,
    caption: str,
    columns: Mapping[str, Mapping[str, Metric]],
    sources: Mapping[str, str],
    *,
    is_ranked: bool = True,
    is_surely: Surely | None = None,
    intervals: Intervals = (),
    undefined: Sequence[Mapping[str, str]] = (),
    at_least: Sequence[Collection[str]] = (),
) -> Table:
    metrics = sorted({metric for column in columns.values() for metric in column}, key=place_of)
    found = list(columns.values())
    directions = {metric: better(metric) if is_ranked else "" for metric in metrics}
    reasons = list(dict.fromkeys(why for each in undefined for why in each.values()))
    why_none = undefined or [{}] * len(found)
    bounds = at_least or [()] * len(found)
    about = (is_surely, intervals, bounds, why_none, reasons)
    rows = [row for each in metrics for row in _rows(each, found, directions[each], *about)]
    known = tuple((heading(m), sources[m]) for m in metrics if m in sources)
    return Table(name, caption, tuple(columns), tuple(rows), known, tuple(reasons))


def place_of(metric: str) -> tuple[int, str]:
    """Where a metric stands: upstream's order, then by name."""
    known = list(_HEADINGS)
    return (known.index(metric) if metric in known else len(known), metric)


def heading(metric: str) -> str:
    """Name a metric as tables do.

    Examples
    --------
    >>> heading("weighted_mae"), heading("phase_defined_share"), heading("r_factor")
    ('Weighted MAE', 'Phase defined share', 'R-factor')
    """
    words = [_HEADINGS.get(word, word) for word in metric.split("_")]
    text = _HEADINGS.get(metric, " ".join(words))
    return text[:1].upper() + text[1:]


# Of each column, by names like "mae.phase".
Intervals = Sequence[Mapping[str, Interval]]
# Whether two columns differ in a figure, named as in "mae.phase", by more than chance.
Surely = Callable[[int, int, str], bool]
# Figures of the first name are functions of the second's errors.
_SAME_ERRORS = {"mse": "psnr"}


def _surely(results: Results) -> Surely | None:
    """Look up differences of arms; None in results of an older schema, which have none."""
    if results.resampling is None:
        return None
    names = list(results.arms)

    def is_surely(first: int, second: int, figure: str) -> bool:
        metric, _, part = figure.partition(".")
        known = f"{_SAME_ERRORS.get(metric, metric)}.{part}"
        return bool(results.are_distinguished(names[first], names[second], known))

    return is_surely


def _rows(
    metric: str,
    columns: Sequence[Mapping[str, Metric]],
    direction: str,
    is_surely: Surely | None,
    intervals: Intervals,
    at_least: Sequence[Collection[str]],
    undefined: Sequence[Mapping[str, str]],
    reasons: Sequence[str],
) -> Iterator[TableRow]:
    for component in COMPONENTS:
        values = [getattr(column.get(metric, Metric()), component) for column in columns]
        whys = [each.get(f"{metric}.{component}") for each in undefined]
        if any(value is not None for value in values) or any(whys):
            best = _best(values, direction)
            if best is not None and is_surely is not None:
                others = [n for n, v in enumerate(values) if v is not None and n != best]
                if not all(is_surely(best, n, f"{metric}.{component}") for n in others):
                    best = None
            is_best = [v is not None and best is not None and v == values[best] for v in values]
            ends = [each.get(f"{metric}.{component}") for each in intervals] or [None] * len(values)
            notes = [None if why is None else reasons.index(why) + 1 for why in whys]
            bounds = [f"{metric}.{component}" in each for each in at_least]
            texts = [
                AT_LEAST if is_bound else UNKNOWN if v is None and note else figure(v)
                for v, note, is_bound in zip(values, notes, bounds, strict=True)
            ]
            between = [_interval(each, metric) for each in ends]
            cells = tuple(map(Cell, texts, is_best, between, notes))
            shown = "" if component == "value" else component
            yield TableRow(heading(metric), shown, direction, cells)


def _interval(found: Interval | None, metric: str) -> str:
    if found is None or found.low == found.high:
        return ""
    high = AT_LEAST if is_at_least(metric, found.high) else figure(found.high)
    return f"{figure(found.low)} … {high}"


def _best(values: Sequence[float | None], direction: str) -> int | None:
    """Give the column of the best value."""
    known = [value for value in values if value is not None]
    if len(set(known)) < 2 or not direction:
        return None
    return values.index(min(known) if direction == "lower" else max(known))
