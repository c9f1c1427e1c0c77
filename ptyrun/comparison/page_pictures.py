"""Which pictures and curves of a finished run are on its page?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import ring_figures
from ptyrun.comparison.finished import FinishedRun
from ptyrun.comparison.pictures import reference_label, scene
from ptyrun.config import EvaluationOptions, Presentation
from ptyrun.report import curves, pictures
from ptyrun.report.ring_plots import Line, Rings

N_STYLES = 8
_TITLES = {"amplitude": "Amplitude", "phase": "Phase", "field": "Complex field"}


@dataclass(frozen=True)
class Shown:
    """Rows of pictures, and what was done to them."""

    rows: tuple[pictures.Row, ...] = ()
    notes: tuple[str, ...] = ()


def compared(run: FinishedRun) -> Shown:
    """Show what is compared, as `scene` has it."""
    presentation = Presentation.from_facts(run.manifest.sources)
    options = EvaluationOptions.from_facts(run.manifest.shared)
    seen = scene(run.results, presentation, options.alignment, run.array)
    if seen is None:
        return Shown()
    return Shown(pictures.scene_rows(seen, run.pixel_size_m), tuple(seen.notes))


def whole(run: FinishedRun) -> tuple[pictures.Row, ...]:
    """Show every arm and the reference as far as patches lie, and the probe."""
    subjects, probe = _subjects(run), run.array("ground_truth/probe")
    rows = [pictures.field_row(subjects, run.pixel_size_m)] if subjects else []
    if probe is not None:
        seen = [pictures.Subject("scan", "Probe", probe)]
        row = pictures.field_row(seen, run.pixel_size_m, "probe")
        rows.append(pictures.Row("probe", "Probe", row.text, row.pictures, row.wheel))
    return tuple(rows)


def _subjects(run: FinishedRun) -> list[pictures.Subject]:
    """Every arm, then the reference, cut to where patches lie; NaN where an arm does not.

    A finished reconstruction may fill a grid of which the scan saw a part: it says where to cut
    only if there is nothing else.
    """
    fields: dict[str, NDArray[Any]] = {}
    covered: dict[str, NDArray[np.bool_]] = {}
    for name in run.results.arms:
        field, coverage = run.array(f"{name}/object"), run.array(f"{name}/coverage")
        if field is not None and coverage is not None:
            covered[name] = coverage > 0
            fields[name] = np.where(covered[name], field, np.nan)
    computed = [covered[arm.name] for arm in run.manifest.arms if arm.n_items]
    deciding = computed or list(covered.values())
    truth = run.array("ground_truth/object")
    labels = run.labels
    if truth is not None:
        fields["ground-truth"] = truth
        labels = {**labels, "ground-truth": reference_label(run.results)}
    return [
        pictures.Subject(name, labels[name], field[_extent(deciding, field.shape)])
        for name, field in fields.items()
    ]


def _extent(covered: Sequence[NDArray[np.bool_]], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The smallest rectangle that holds all that is covered, on grids of this shape."""
    known = [mask for mask in covered if mask.shape == shape and mask.any()]
    if not known:
        return (slice(None), slice(None))
    found = np.nonzero(np.logical_or.reduce(known))
    return tuple(slice(int(places.min()), int(places.max()) + 1) for places in found)


def ring_plots(run: FinishedRun) -> tuple[curves.PlotGroup, ...]:
    """Draw the standard correlations of amplitude, phase and field, for each kind of pair."""
    label = reference_label(run.results)
    per_nm = None if run.pixel_size_m is None else 1e-9 / (2 * run.pixel_size_m)
    return tuple(
        curves.PlotGroup(
            f"Fourier ring correlation {group.heading}",
            tuple(_plot(part, group.name, per_nm) for part in group.parts),
        )
        for group in ring_figures.standard_groups(run.results, run.ring_curves, label)
    )


def _plot(part: Rings, group: str, per_nm: float | None) -> curves.Plot:
    labels = ", ".join(line.label for line in part.lines if not line.is_threshold)
    return curves.correlations(
        name=f"frc-{group}-{part.name}",
        title=_TITLES[part.name],
        alt=f"Fourier ring correlation, {part.title}, of {labels}, from 0 to Nyquist",
        curves=[_curve(line) for line in part.lines],
        nyquist_per_nm=per_nm,
        why_none=part.why_none,
    )


def _curve(line: Line) -> curves.Curve:
    css = f"threshold t{line.style}" if line.is_threshold else f"c{line.style % N_STYLES}"
    return curves.Curve(line.label, css, line.x, line.y, line.low, line.high)


def styles(names: Mapping[str, object]) -> dict[str, str]:
    """Give each arm its colour."""
    return {name: f"c{n % N_STYLES}" for n, name in enumerate(names)}
