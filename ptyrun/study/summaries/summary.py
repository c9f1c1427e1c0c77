"""What do the comparisons of a study add up to? The content of ``metrics_summary.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ptyrun.study import analysis
from ptyrun.study.files import HubFiles, unreadable
from ptyrun.study.summaries.compliance import Compliance
from ptyrun.study.summaries.manifest import Key, Manifest
from ptyrun.study.summaries.rows import PAIR, Row, read_csv

# Metrics that are averaged, and of which the largest is the best.
AVERAGED = ("mae", "ms_ssim")
WITH_BEST = ("ms_ssim",)


@dataclass(frozen=True)
class Job:
    """One comparison and its metrics."""

    key: Key
    rows: tuple[Row, ...]

    @classmethod
    def load(cls, files: HubFiles, key: Key) -> Job:
        """Read the metrics of one comparison; raises `InputError`."""
        try:
            return cls(key, read_csv(files.text(key.metrics)))
        except ValueError as error:
            raise unreadable(key.metrics, str(error)) from error

    @property
    def models(self) -> tuple[str, ...]:
        """Its models, in the order of the table."""
        return tuple(dict.fromkeys(row.model for row in self.rows))

    def to_json(self) -> dict[str, Any]:
        """As the summary has it."""
        dose, view, split = self.key.dose, self.key.view, self.key.split
        metrics = [row.to_json() for row in self.rows]
        return {"dose": dose, "view": view, "split": split, "metrics": metrics}

    @classmethod
    def from_json(cls, document: object) -> Job:
        """Read what :meth:`to_json` gives; raises ValueError."""
        key = Key.of(document)
        metrics = document.get("metrics") if isinstance(document, Mapping) else None
        if not isinstance(metrics, list):
            raise ValueError(f"the metrics of {key} are {metrics!r:.80}, not a list")
        return cls(key, tuple(map(Row.from_json, metrics)))


@dataclass(frozen=True)
class Aggregate:
    """Mean and best of one metric of one model over comparisons; None where no number is."""

    mean_amplitude: float | None
    best_amplitude: float | None
    mean_phase: float | None
    best_phase: float | None

    @classmethod
    def of(cls, rows: Sequence[Row], *, with_best: bool) -> Aggregate:
        """Add up *rows* in their order, so that equal tables give equal bits."""
        found: dict[str, float | None] = {}
        for name in PAIR:
            numbers = [n for row in rows if (n := row.component(name)) is not None]
            found[f"mean_{name}"] = sum(numbers) / len(numbers) if numbers else None
            found[f"best_{name}"] = max(numbers) if numbers and with_best else None
        return cls(**found)

    def to_json(self) -> dict[str, float]:
        """As the summary has it."""
        return {name: number for name, number in vars(self).items() if number is not None}


Aggregates = Mapping[str, Mapping[str, Aggregate]]


def aggregates(jobs: Iterable[Job], metrics: Sequence[str] = AVERAGED) -> Aggregates:
    """Mean and best by model and metric, both sorted by name; over the jobs that have a number."""
    rows: dict[str, dict[str, list[Row]]] = {}
    for job in jobs:
        for row in job.rows:
            if row.metric in metrics and (row.amplitude is not None or row.phase is not None):
                rows.setdefault(row.model, {}).setdefault(row.metric, []).append(row)
    return {
        model: {
            metric: Aggregate.of(each, with_best=metric in WITH_BEST)
            for metric, each in sorted(found.items())
        }
        for model, found in sorted(rows.items())
    }


@dataclass(frozen=True)
class Summary:
    """All comparisons of a study: counts, metrics, means, and the state of their data."""

    n_jobs: int
    n_success: int
    n_failed: int
    jobs: tuple[Job, ...]
    compliance: Compliance

    @classmethod
    def collected(cls, files: HubFiles, manifest: Manifest) -> Summary:
        """Read the tables of all comparisons that ended well; raises `InputError`."""
        return cls(
            len(manifest.executions),
            len(manifest.succeeded),
            len(manifest.failed),
            tuple(Job.load(files, key) for key in manifest.succeeded),
            Compliance.of(files),
        )

    @cached_property
    def aggregates(self) -> Aggregates:
        """Mean and best by model and metric, over all jobs."""
        return aggregates(self.jobs)

    @property
    def models(self) -> tuple[str, ...]:
        """All models, sorted."""
        return tuple(sorted({model for job in self.jobs for model in job.models}))

    def aggregate(self, model: str | None, metric: str) -> Aggregate:
        """Mean and best of one metric of one model; nothing but None if there is none."""
        nothing = Aggregate(None, None, None, None)
        return self.aggregates.get(model or "", {}).get(metric, nothing)

    def to_json(self) -> dict[str, Any]:
        """The content of ``metrics_summary.json``."""
        return {
            "n_jobs": self.n_jobs,
            "n_success": self.n_success,
            "n_failed": self.n_failed,
            "jobs": [job.to_json() for job in self.jobs],
            "aggregate_metrics": {
                model: {metric: found.to_json() for metric, found in metrics.items()}
                for model, metrics in self.aggregates.items()
            },
            "phase_c_metadata_compliance": self.compliance.to_json(),
        }

    @classmethod
    def load(cls, files: HubFiles) -> Summary:
        """Read the summary of a hub as it stands there; raises `InputError`."""
        document = files.json(analysis.SUMMARY)
        try:
            return cls.read(document)
        except ValueError as error:
            raise unreadable(analysis.SUMMARY, str(error)) from error

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Summary:
        """Read the JSON object; its aggregates are not believed, but made again from its jobs."""
        counts = [document.get(name) for name in ("n_jobs", "n_success", "n_failed")]
        jobs = document.get("jobs")
        if not all(type(each) is int for each in counts) or not isinstance(jobs, list):
            raise ValueError("its counts are not whole numbers, or its jobs not a list")
        compliance = Compliance.read(document.get("phase_c_metadata_compliance"))
        n_jobs, n_success, n_failed = (int(each or 0) for each in counts)
        return cls(n_jobs, n_success, n_failed, tuple(map(Job.from_json, jobs)), compliance)
