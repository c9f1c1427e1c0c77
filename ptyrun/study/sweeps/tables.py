"""Which tables does a sweep have? One for programs, one for papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

from ptyrun.resolutions import BOUND
from ptyrun.study.summaries.tables import csv_text, latex
from ptyrun.study.sweeps.points import Sweep
from ptyrun.study.sweeps.statistics import Case, Spread, cases
from ptyrun.texts import as_cell

R_FACTOR = "standard_r_factor"
IN_PAPERS = ("ms_ssim", "mae", R_FACTOR)
DIGITS = 4


def csv_table(sweep: Sweep) -> str:
    """``sweep_*.csv``: mean and spread of every metric, component, model, view and split."""
    statistics = [field.name for field in fields(Spread)]
    names = ("view", "split", "model", "metric", "component")
    rows: list[Sequence[object]] = [(str(sweep.axis), *names, *statistics)]
    for case in cases(sweep):
        place = (case.view, case.split, as_cell(case.model), as_cell(case.metric), case.component)
        for at in sweep.values:
            if (found := case.spread(sweep, at)) is not None:
                rows.append((at, *place, *astuple(found)))
    return csv_text(rows)


def point_table(sweep: Sweep) -> str:
    """``sweep_*_points.csv``: every number of every comparison, its interval, and its folder."""
    names = (
        "trial",
        "view",
        "split",
        "model",
        "metric",
        "component",
        "number",
        "low",
        "high",
        "bound",
        "folder",
    )
    rows: list[Sequence[object]] = [(str(sweep.axis), *names)]
    for case in cases(sweep):
        for point in sweep.points:
            number = case.number(point)
            if number == number:
                place = (point.at, point.trial, point.view, point.split)
                what = (as_cell(case.model), as_cell(case.metric), case.component)
                known = case.interval(point)
                ends = ("", "") if known is None else (known.low, known.high)
                bound = BOUND if case.is_at_least(point) else ""
                rows.append((*place, *what, number, *ends, bound, as_cell(point.folder)))
    return csv_text(rows)


def latex_table(sweep: Sweep) -> str:
    """``sweep_*.tex``: MS-SSIM, MAE and R-factor, a column per dose or size; needs booktabs."""
    values = [f"{at}" for at in sweep.values]
    lines = [
        r"% Mean and, of several trials, standard deviation; \usepackage{booktabs}.",
        r"\begin{tabular}{llll" + "r" * len(values) + "}",
        r"\toprule",
        " & ".join(["Metric", "Model", "View", "Split", *values]) + r" \\",
    ]
    before = None
    for case in cases(sweep):
        if case.metric not in IN_PAPERS:
            continue
        what = (case.metric, case.component)
        lines += [r"\midrule"] if what != before else []
        before = what
        name = f"{case.metric.upper().replace('_', '-')} {case.component}"
        name = "R-factor" if case.metric == R_FACTOR else name
        cells = [name, case.model, case.view, case.split]
        found = [_latex_spread(case, sweep, at) for at in sweep.values]
        lines.append(" & ".join([*map(latex, cells), *found]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _latex_spread(case: Case, sweep: Sweep, at: int) -> str:
    found = case.spread(sweep, at)
    if found is None:
        return "--"
    spread = rf" \pm {found.std:.{DIGITS}f}" if found.n > 1 else ""
    return f"${found.mean:.{DIGITS}f}{spread}$"
