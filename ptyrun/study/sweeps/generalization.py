"""Which numbers does a study of the training size have, in the tables that upstream's has?

``results.csv`` (mean and percentiles over trials) and ``results_all_trials.csv``, column by column
those of ``aggregate_and_plot_results.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ptyrun.study.summaries.rows import PAIR
from ptyrun.study.summaries.tables import csv_text
from ptyrun.study.sweeps.points import Point, Sweep
from ptyrun.study.sweeps.statistics import Spread, in_range
from ptyrun.texts import as_cell

PASSED, LOW, FAILED = "passed", "filtered_low_msssim", "failed_nan"
_SUFFIX = {"amplitude": "amp", "phase": "phase"}
_TYPES = {
    **{"PtychoPINN": "pinn", "Baseline": "baseline", "Tike": "iterative"},
    **dict.fromkeys(
        ("Pty-chi (ePIE)", "Pty-chi (DM)", "Pty-chi (ML)", "Pty-chi"),
        "iterative",
    ),
}


@dataclass(frozen=True)
class Trial:
    """One model in one trial: its numbers by column, NaN where there is none, and if it counts."""

    size: int
    number: int
    model_type: str
    numbers: Mapping[str, float]
    status: str
    counts: bool


@dataclass(frozen=True)
class Trials:
    """All of them, and the columns in the order in which they first occur."""

    rows: tuple[Trial, ...]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, sweep: Sweep, threshold: float) -> Trials:
        """Take the trials of a sweep; with a *threshold*, those of less phase MS-SSIM do not count.

        Upstream's own threshold is 0.3; 0 counts all.
        """
        rows = [row for point in sweep.points for row in _of_point(point, threshold)]
        rows.sort(key=lambda row: (row.size, row.number, row.model_type))
        columns = dict.fromkeys(
            f"{row.metric}_{_SUFFIX[each]}"
            for point in sorted(sweep.points, key=lambda point: (point.at, point.trial))
            for row in point.rows
            for each in PAIR
        )
        return cls(tuple(rows), tuple(columns))

    def results(self, generated_at: str) -> str:
        """Content of ``results.csv``."""
        names = sorted(self.columns)
        head = [f"{name}_{each}" for name in names for each in ("mean", "p25", "p75")]
        n_valid = [f"{name}_n_valid" for name in self.columns]
        rows: list[Sequence[object]] = [
            ("train_size", "model_type", "n_trials", "generated_at", *head, *n_valid)
        ]
        counted = [row for row in self.rows if row.counts]
        for size, model_type in sorted({(row.size, row.model_type) for row in counted}):
            mine = [r for r in counted if (r.size, r.model_type) == (size, model_type)]
            found = {
                name: Spread.of(row.numbers.get(name, math.nan) for row in mine) for name in names
            }
            spreads = [value for name in names for value in _percentiles(found[name])]
            valid = [0 if (each := found[name]) is None else each.n for name in self.columns]
            place = (size, as_cell(model_type), len(mine), generated_at)
            rows.append((*place, *spreads, *valid))
        return csv_text(rows)

    def all_trials(self, generated_at: str) -> str:
        """Content of ``results_all_trials.csv``."""
        names = sorted(self.columns)
        head = ("train_size", "trial_number", "model_type", "filter_status")
        rows: list[Sequence[object]] = [(*head, *names, "generated_at")]
        for row in self.rows:
            numbers = [row.numbers.get(name, math.nan) for name in names]
            place = (row.size, row.number, as_cell(row.model_type), row.status)
            rows.append((*place, *("" if each != each else each for each in numbers), generated_at))
        return csv_text(rows)


def _of_point(point: Point, threshold: float) -> list[Trial]:
    found: dict[str, dict[str, float]] = {}
    for row in point.rows:
        numbers = found.setdefault(_TYPES.get(row.model, row.model.lower()), {})
        for component in PAIR:
            name = f"{row.metric}_{_SUFFIX[component]}"
            numbers[name] = in_range(row.metric, row.component(component))
    trials = []
    for model_type, numbers in found.items():
        ms_ssim = numbers.get("ms_ssim_phase", math.nan)
        status = LOW if ms_ssim < threshold else PASSED
        if math.isnan(numbers.get("psnr_phase", math.nan)):
            status = FAILED
        counts = threshold <= 0 or ms_ssim >= threshold
        trials.append(Trial(point.at, point.trial, model_type, numbers, status, counts))
    return trials


def _percentiles(found: Spread | None) -> tuple[object, object, object]:
    return ("", "", "") if found is None else (found.mean, found.p25, found.p75)
