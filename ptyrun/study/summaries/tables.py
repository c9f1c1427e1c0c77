"""Which numbers does a study have, by dose, view and split? Tables for programs and for papers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ptyrun.study.summaries.comparisons import METRICS, OWN, difference
from ptyrun.study.summaries.rows import NUMBERS, PAIR
from ptyrun.study.summaries.summary import Aggregates, Job, Summary, aggregates
from ptyrun.texts import as_cell

ALL = "all"
DIGITS = 4


@dataclass(frozen=True)
class Scope:
    """Comparisons that are averaged together, and what they have in common."""

    dose: str
    view: str
    split: str
    jobs: tuple[Job, ...]

    @property
    def name(self) -> tuple[str, str, str]:
        """Dose, view and split; ``all`` where they differ."""
        return self.dose, self.view, self.split

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that have amplitude and phase, in the order of the tables."""
        rows = (row for job in self.jobs for row in job.rows)
        pairs = (row.metric for row in rows if (row.amplitude, row.phase) != (None, None))
        return tuple(dict.fromkeys(pairs))

    @property
    def aggregates(self) -> Aggregates:
        """Mean and best of every metric, over the jobs of the scope."""
        return aggregates(self.jobs, self.metrics)


def scopes(jobs: Iterable[Job]) -> Iterator[Scope]:
    """Each comparison, the splits of a dose and view together, each split, and all together."""
    found = sorted(jobs, key=lambda job: job.key)
    places = dict.fromkeys((job.key.dose, job.key.view) for job in found)
    for place in places:
        here = [job for job in found if (job.key.dose, job.key.view) == place]
        dose, view = dose_text(place[0]), place[1]
        for job in here:
            yield Scope(dose, view, job.key.split, (job,))
        yield Scope(dose, view, ALL, tuple(here))
    if len(places) != 1:
        for split in dict.fromkeys(job.key.split for job in found):
            yield Scope(ALL, ALL, split, tuple(j for j in found if j.key.split == split))
        yield Scope(ALL, ALL, ALL, tuple(found))


def job_table(summary: Summary, uncounted: Sequence[Job]) -> str:
    """``study_metrics.csv``: every metric of every comparison.

    *uncounted* are comparisons whose results lie in the hub, but that its manifest does not list:
    upstream's files leave them out, ptyrun's tables do not.
    """
    rows: list[Sequence[object]] = [
        ("dose", "view", "split", "counted", "model", "metric", *NUMBERS)
    ]
    for jobs, counted in ((summary.jobs, "yes"), (uncounted, "no")):
        for job in jobs:
            place = (dose_text(job.key.dose), job.key.view, job.key.split, counted)
            for row in job.rows:
                numbers = [row.component(name) for name in NUMBERS]
                rows.append((*place, as_cell(row.model), as_cell(row.metric), *numbers))
    return csv_text(rows)


def mean_table(summary: Summary, uncounted: Sequence[Job]) -> str:
    """``study_means.csv``: mean and best by scope, model and metric, and over how many jobs."""
    names = [f"{statistic}_{name}" for name in PAIR for statistic in ("mean", "best")]
    counts = [f"n_{name}" for name in PAIR]
    head = ("dose", "view", "split", "n_jobs", "model", "metric", *names, *counts)
    rows: list[Sequence[object]] = [head]
    for scope in scopes((*summary.jobs, *uncounted)):
        for model, metrics in scope.aggregates.items():
            for metric, found in metrics.items():
                numbers = [getattr(found, name) for name in names]
                place = (*scope.name, len(scope.jobs), as_cell(model), as_cell(metric))
                n = [_n_numbers(scope, model, metric, name) for name in PAIR]
                rows.append((*place, *numbers, *n))
    return csv_text(rows)


def delta_table(summary: Summary, uncounted: Sequence[Job]) -> str:
    """``study_deltas.csv``: mean of PtychoPINN minus mean of each other model, by scope."""
    head = ("dose", "view", "split", "n_jobs", "against", "metric", *PAIR)
    rows: list[Sequence[object]] = [head]
    for scope in scopes((*summary.jobs, *uncounted)):
        means = scope.aggregates
        for model, metrics in means.items():
            for metric, theirs in metrics.items():
                ours = means.get(OWN, {}).get(metric)
                if model == OWN or ours is None:
                    continue
                numbers = [
                    difference(*(getattr(each, f"mean_{name}") for each in (ours, theirs)))
                    for name in PAIR
                ]
                place = (*scope.name, len(scope.jobs), as_cell(model), as_cell(metric))
                rows.append((*place, *numbers))
    return csv_text(rows)


def latex_table(summary: Summary, uncounted: Sequence[Job]) -> str:
    """``study_tables.tex``: MS-SSIM and MAE by scope and model; for the package booktabs."""
    lines = [
        r"% Means over comparisons; \usepackage{booktabs}.",
        r"\begin{tabular}{lllllrrrr}",
        r"\toprule",
        r" & & & & & \multicolumn{2}{c}{MS-SSIM} & \multicolumn{2}{c}{MAE} \\",
        r"\cmidrule(lr){6-7}\cmidrule(lr){8-9}",
        r"Dose & View & Split & Comparisons & Model & Amplitude & Phase & Amplitude & Phase \\",
    ]
    for scope in scopes((*summary.jobs, *uncounted)):
        lines.append(r"\midrule")
        for model, metrics in scope.aggregates.items():
            means = [
                getattr(metrics.get(metric), f"mean_{name}", None)
                for metric in METRICS
                for name in PAIR
            ]
            cells = [*scope.name, str(len(scope.jobs)), model]
            texts = [*map(latex, cells), *(_latex_number(mean) for mean in means)]
            lines.append(" & ".join(texts) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def dose_text(dose: float) -> str:
    """A dose as folders and tables name it."""
    return f"{dose:.15g}"


def _n_numbers(scope: Scope, model: str, metric: str, name: str) -> int:
    rows = (row for job in scope.jobs for row in job.rows)
    return sum(
        (row.model, row.metric) == (model, metric) and row.component(name) is not None
        for row in rows
    )


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Write rows as CSV."""
    memory = io.StringIO()
    csv.writer(memory, lineterminator="\n").writerows(rows)
    return memory.getvalue()


_LATEX = {ord(each): f"\\{each}" for each in "&%$#_{}"} | {
    ord("\\"): r"\textbackslash{}",
    ord("~"): r"\textasciitilde{}",
    ord("^"): r"\textasciicircum{}",
}


def latex(text: str) -> str:
    """Write a text so that LaTeX shows it as it is."""
    return text.translate(_LATEX)


def _latex_number(number: float | None) -> str:
    return "--" if number is None else f"${number:.{DIGITS}f}$"
