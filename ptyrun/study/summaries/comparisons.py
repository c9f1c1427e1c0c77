"""Against which models is PtychoPINN held, and by how much does it differ from each?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ptyrun.study import analysis
from ptyrun.study.summaries.rows import PAIR
from ptyrun.study.summaries.summary import AVERAGED, Aggregate, Summary

OWN = "PtychoPINN"
BASELINE = "Baseline"
PTYCHI = "PtyChi"
TIME = "%Y-%m-%dT%H:%M:%SZ"
METRICS = ("ms_ssim", "mae")
assert set(METRICS) == set(AVERAGED)


@dataclass(frozen=True)
class Comparison:
    """PtychoPINN against the model that the tables call *label*; *model* is None if none is."""

    label: str
    model: str | None

    @property
    def key(self) -> str:
        """Its key in ``metrics_delta_summary.json``."""
        return f"vs_{self.label}"


def comparisons(models: Iterable[str], *, exact: bool = False) -> tuple[Comparison, ...]:
    """Choose what PtychoPINN is held against: Baseline, PtyChi, then every other model.

    Parameters
    ----------
    models : iterable of str
        Labels in the tables. Baseline is also one that begins with that word, PtyChi one that
        contains it, whatever its case, spaces, hyphens and brackets.
    exact : bool
        Know Baseline and PtyChi by exactly these labels and no other model at all, as the part of
        upstream does that writes deltas.

    Returns
    -------
    tuple of Comparison
        Baseline and PtyChi stand there whether there are such models or not; but PtyChi gives way
        if there is another third model and no PtyChi.
    """
    labels = sorted(models)
    if exact:
        return tuple(Comparison(each, each if each in labels else None) for each in SLOTS)
    baseline = _found(labels, BASELINE, lambda label: label.lower().startswith("baseline"))
    ptychi = _found(labels, PTYCHI, lambda label: "ptychi" in _bare(label))
    others = [each for each in labels if each not in (OWN, baseline, ptychi)]
    slots = [Comparison(BASELINE, baseline)]
    if ptychi or not others:
        slots.append(Comparison(PTYCHI, ptychi))
    return (*slots, *(Comparison(each, each) for each in others))


SLOTS = (BASELINE, PTYCHI)


def _found(labels: list[str], exact: str, matches: Any) -> str | None:
    return exact if exact in labels else next(filter(matches, labels), None)


def _bare(label: str) -> str:
    return label.lower().translate({ord(each): None for each in "- ()"})


def difference(ours: float | None, theirs: float | None) -> float | None:
    """PtychoPINN's number minus another's; None where one is missing."""
    return None if ours is None or theirs is None else ours - theirs


@dataclass(frozen=True)
class Delta:
    """Differences of the means (PtychoPINN minus another) of one metric."""

    amplitude: float | None
    phase: float | None

    @classmethod
    def of(cls, ours: Aggregate, theirs: Aggregate) -> Delta:
        """Subtract means."""
        pairs = ((getattr(each, f"mean_{name}") for each in (ours, theirs)) for name in PAIR)
        return cls(*(difference(*pair) for pair in pairs))


@dataclass(frozen=True)
class Deltas:
    """All differences, by comparison and metric: the content of ``metrics_delta_summary.json``."""

    compared: tuple[Comparison, ...]
    values: Mapping[tuple[str, str], Delta]

    @classmethod
    def of(cls, summary: Summary, *, exact: bool = False) -> Deltas:
        """Subtract the means of all models that PtychoPINN is held against."""
        chosen = comparisons(summary.models, exact=exact)
        return cls(
            chosen,
            {
                (each.label, metric): Delta.of(
                    summary.aggregate(OWN, metric), summary.aggregate(each.model, metric)
                )
                for each in chosen
                for metric in METRICS
            },
        )

    def delta(self, label: str, metric: str) -> Delta:
        """The differences from one model in one metric."""
        return self.values.get((label, metric), Delta(None, None))

    def to_json(self, generated_at: str) -> dict[str, Any]:
        """The file's content; PtyChi's key is always there, for who asks for it by name."""
        labels = dict.fromkeys([*SLOTS, *(each.label for each in self.compared)])
        return {
            "generated_at": generated_at,
            "source_metrics": analysis.SUMMARY,
            "deltas": {
                f"vs_{label}": {metric: vars(self.delta(label, metric)) for metric in METRICS}
                for label in labels
            },
        }


def now() -> str:
    """The time of day, UTC, as the study's documents write it."""
    return datetime.now(UTC).strftime(TIME)


def tomorrow() -> str:
    """The time in a day: later than the clock of any machine."""
    return (datetime.now(UTC) + timedelta(days=1)).strftime(TIME)


def is_time(text: object) -> bool:
    """Tell whether *text* is a time as `now` writes it."""
    try:
        return isinstance(text, str) and datetime.strptime(text, TIME).strftime(TIME) == text
    except ValueError:
        return False


def same_json(one: object, other: object) -> bool:
    """Whether two documents are equal to the last bit; NaN equals NaN, and 1 is not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def signed(value: float | None, digits: int) -> str:
    """A difference with its sign; N/A if there is none."""
    return "N/A" if value is None else f"{value:+.{digits}f}"


def signed_for_grid(value: float | None, digits: int) -> str:
    """As `signed`, in the grid's own way: no sign for NaN, two for the zero below zero."""
    if value is None:
        return "N/A"
    sign = "+" if value >= 0 else ""
    return f"{sign}{value:.{digits}f}"


def is_above(mean: float | None, threshold: float) -> bool:
    """Whether a mean reaches the threshold; NaN does not."""
    return mean is not None and not math.isnan(mean) and mean >= threshold
