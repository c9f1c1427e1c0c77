"""Which files does a finished comparison leave for people and for older tools?"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.measures import Measures
from ptyrun.comparison.sums import ArmObject
from ptyrun.config import Alignment, Presentation
from ptyrun.host import durable
from ptyrun.paths import RunPaths
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.results import ArmResult, Metric, Results
from ptyrun.texts import as_cell

_UPSTREAM_NAMES = {"pinn": "ptychopinn"}
Cell = str | float | int | None
_ABOUT = {
    Alignment.EXACT: (
        "Complex objects on the object's own pixel grid; offsets (dy, dx) in pixels.",
        "The images that were measured: cropped, registered, trimmed, phase ramp removed.",
    ),
    Alignment.UPSTREAM: (
        "Complex objects, each on a square canvas around its patches; offsets (dy, dx) in pixels.",
        "The images that were measured: cropped and registered, neither trimmed nor flattened.",
    ),
}


def _csv_metrics(arm: ArmResult) -> dict[str, Metric]:
    return {**arm.metrics, **{f"standard_{name}": m for name, m in arm.standard.items()}}


def metrics_table(results: Results) -> str:
    """The metrics as text for a terminal: amplitude / phase, one column per arm."""
    columns = {arm.label: _csv_metrics(arm) for arm in results.arms.values()}
    names = list(dict.fromkeys(name for metrics in columns.values() for name in metrics))
    head = ("amplitude / phase", *columns)
    rows = [(name, *(_shown(each.get(name)) for each in columns.values())) for name in names]
    lines = _aligned([head, *rows]) if rows else []
    for pair in results.pairs:
        lines.append(f"{' against '.join(results.labels_of(pair))}:")
        lines += [f"  {name:<20} {_shown(metric)}" for name, metric in pair.standard.items()]
        lines += [f"  {note}" for note in pair.notes]
    lines += [f"{arm.label}: {'; '.join(arm.notes)}" for arm in results.arms.values() if arm.notes]
    for arm in results.arms.values():
        if arm.mismatch:
            lines.append(f"WARNING: {arm.label}: {arm.mismatch}")
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, figures to the right, in columns as wide as they need."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([name.ljust(first), *map(str.rjust, figures, others)]).rstrip()
        for name, *figures in rows
    ]


def _shown(metric: Metric | None) -> str:
    if metric is None:
        return ""
    if metric.value is not None:
        return f"{metric.value:.4f}"
    if metric.amplitude is None and metric.phase is None:
        return "-"
    return " / ".join("-" if v is None else f"{v:.4f}" for v in (metric.amplitude, metric.phase))


def write_metrics_csv(path: Path, results: Results) -> None:
    """Write ``comparison_metrics.csv``: model, metric, amplitude, phase, value."""
    rows = [
        (arm.label, name, *map(_real, (metric.amplitude, metric.phase, metric.value)))
        for arm in results.arms.values()
        for name, metric in _csv_metrics(arm).items()
    ]
    _write_csv(path, ("model", "metric", "amplitude", "phase", "value"), rows)


def write_frc_csv(
    path: Path, label: str, amplitude: NDArray[np.float64], phase: NDArray[np.float64]
) -> None:
    """Write an arm's FRC curves: model, frequency_bin, amplitude_frc, phase_frc."""
    rings = enumerate(zip_longest(amplitude.tolist(), phase.tolist()))
    rows = [(label, ring, *values) for ring, values in rings]
    _write_csv(path, ("model", "frequency_bin", "amplitude_frc", "phase_frc"), rows)


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table, all or nothing; no text in it is a spreadsheet's formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    durable.write_text(path, text.getvalue())


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)  # a whole number is one without fraction in JSON


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return as_cell(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6f}"
    return "" if value is None else str(value)


def write_npz(path: Path, arrays: Mapping[str, NDArray[np.generic]], about: str) -> None:
    """Write arrays and a text that says what they are; nothing in it is pickled."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    durable.write_atomic(path, buffer.getvalue())
    listing = "\n".join(f"{name}: {a.shape} {a.dtype}" for name, a in sorted(arrays.items()))
    about_path = path.with_name(f"{path.stem}_metadata.txt")
    durable.write_text(about_path, f"{about}\n\n{listing}\n")


def write_reconstructions(
    paths: RunPaths,
    arms: Mapping[str, ArmObject],
    evaluations: Mapping[str, Measures],
    truth: NDArray[np.complex64] | None,
    presentation: Presentation,
    alignment: Alignment,
) -> None:
    """Write ``reconstructions.npz`` (whole objects) and ``reconstructions_aligned.npz``."""
    shifts_px = {name: found.shift for name, found in evaluations.items()}
    about, about_aligned = _ABOUT[alignment]
    if presentation.save_npz:
        square = alignment is Alignment.UPSTREAM
        images = {name: arm.canvas if square else arm.image for name, arm in arms.items()}
        write_npz(paths.reconstructions, _reconstruction_arrays(images, truth, shifts_px), about)
    if presentation.save_npz_aligned and evaluations:
        aligned = {name: found.pair[0] for name, found in evaluations.items()}
        owner, first = next(iter(evaluations.items()))
        write_npz(
            paths.reconstructions_aligned,
            _reconstruction_arrays(aligned, first.pair[1], shifts_px),
            f"{about_aligned} The ground truth is cropped as {owner} is; objects.zarr has it as "
            "cropped for each arm.",
        )


def _reconstruction_arrays(
    images: Mapping[str, NDArray[np.complex64]],
    truth: NDArray[np.complex64] | None,
    shifts_px: Mapping[str, Shift | None],
) -> dict[str, NDArray[np.generic]]:
    """Upstream's keys; what does not exist is a NaN, where upstream pickles a None."""
    missing = np.array(np.nan, np.complex64)
    arrays: dict[str, NDArray[np.generic]] = {}
    for arm, image in {**images, "ground_truth": missing if truth is None else truth}.items():
        name = _UPSTREAM_NAMES.get(arm, arm)
        arrays[f"{name}_amplitude"] = np.abs(image)
        arrays[f"{name}_phase"] = np.angle(image)
        arrays[f"{name}_complex"] = image
    for arm in images:
        shift = shifts_px.get(arm)
        name = _UPSTREAM_NAMES.get(arm, arm)
        arrays[f"{name}_offset_dy"] = np.array(shift.dy_px if shift else np.nan)
        arrays[f"{name}_offset_dx"] = np.array(shift.dx_px if shift else np.nan)
    return arrays
