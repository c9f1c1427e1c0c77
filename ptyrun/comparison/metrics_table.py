"""How do the metrics of a comparison look on a terminal?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ptyrun.comparison.frame_remarks import remarks
from ptyrun.report.empty import UNKNOWN, reasons
from ptyrun.resolutions import AT_LEAST, RESOLUTION
from ptyrun.results import ArmResult, Metric, PairResult, Results
from ptyrun.texts import one_line

# Files have figures by the alphabet.
_UPSTREAM = (
    *("mae", "mse", "psnr", "ssim", "ms_ssim", "frc50", "frc1over7"),
    *("registration_offset_dy", "registration_offset_dx", "computation_time_s"),
)
_STANDARD = (
    *("mae", "psnr", "ssim", "ms_ssim", "contrast_correlation", "contrast_transfer"),
    *("weighted_mae", "weighted_psnr", "complex_error", "invariant_error", "coherence"),
    *("phase_defined_share", "frc50", "frc1over7", "frc_half_bit", "frc_one_bit"),
    *("r_factor", "fourier_error"),
)


def shown_metrics(arm: ArmResult) -> dict[str, Metric]:
    """Upstream's metrics by name, and the standard ones."""
    upstream = {name: arm.metrics[name] for name in _in_order(arm.metrics, _UPSTREAM)}
    standard = {name: arm.standard[name] for name in _in_order(arm.standard, _STANDARD)}
    return {**upstream, **{f"standard_{name}": metric for name, metric in standard.items()}}


def _in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """*names* as in *order*, and then the others as they come."""
    found = list(names)
    return list(dict.fromkeys([*(name for name in order if name in found), *found]))


def metrics_table(results: Results) -> str:
    """The metrics as text for a terminal: amplitude / phase, one column per arm."""
    columns = {arm.label: shown_metrics(arm) for arm in results.arms.values()}
    found = dict.fromkeys(name for metrics in columns.values() for name in metrics)
    names = _in_order(found, [*_UPSTREAM, *(f"standard_{name}" for name in _STANDARD)])
    head = ("amplitude / phase", *columns)
    arms = {arm.label: arm for arm in results.arms.values()}
    rows = []
    for name in names:
        own = {label: each.get(name) for label, each in columns.items()}
        is_one = _is_one(own.values())
        rows.append(
            (name, *(_shown(name, m, arms[label], is_one=is_one) for label, m in own.items()))
        )
    lines = _aligned([head, *rows]) if rows else []
    lines += [line for arm in results.arms.values() for line in _reasons(arm.label, arm)]
    lines += remarks(results)
    # Beside a table of arms, those of their pairs are for the files.
    for pair in () if results.common else results.pairs:
        lines.append(f"{' against '.join(results.labels_of(pair))}:")
        lines += [
            f"  {name:<20} {_shown(f'standard_{name}', metric, pair, is_one=_is_one([metric]))}"
            for name, metric in pair.standard.items()
        ]
        lines += _reasons(" against ".join(results.labels_of(pair)), pair)
        lines += [f"  {note}" for note in pair.notes]
    lines += [f"{arm.label}: {'; '.join(arm.notes)}" for arm in results.arms.values() if arm.notes]
    return "\n".join(map(one_line, lines))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, figures to the right, in columns as wide as they need."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([name.ljust(first), *map(str.rjust, figures, others)]).rstrip()
        for name, *figures in rows
    ]


def _is_one(metrics: Iterable[Metric | None]) -> bool:
    """Whether a row is of one figure of the whole field, not of amplitude and phase."""
    found = [each for each in metrics if each is not None]
    if any(each.value is not None for each in found):
        return True
    return all(each.amplitude is None and each.phase is None for each in found)


def _reasons(label: str, found: ArmResult | PairResult) -> Iterator[str]:
    """Say why figures of the table are not available."""
    for why, figures in reasons(found.undefined, _in_order(found.standard, _STANDARD)).items():
        yield f"{UNKNOWN} for {label}: standard {figures}: {why}"


def _shown(name: str, metric: Metric | None, found: ArmResult | PairResult, *, is_one: bool) -> str:
    if metric is None:
        return ""
    standard = name.removeprefix("standard_")
    is_standard = standard != name
    is_resolution = is_standard and standard.startswith(RESOLUTION)

    def figure(part: str) -> str:
        value = metric[part]
        if is_standard and f"{standard}.{part}" in found.at_least:
            return AT_LEAST
        if value is not None:
            return f"{value:.4f}"
        is_undefined = is_standard and f"{standard}.{part}" in found.undefined
        return UNKNOWN if is_undefined else "-"

    return (
        figure("value") if is_one or is_resolution else f"{figure('amplitude')} / {figure('phase')}"
    )
