"""How is a resolution said that is not reached up to Nyquist? As at least 1, everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

# Metrics with this beginning are resolutions, in fractions of Nyquist.
RESOLUTION = "frc"
# What stands for a curve that never falls below its threshold: it is right at least up to there.
NYQUIST = 1.0
AT_LEAST = "≥ 1"
BOUND = ">="
COMPONENTS = ("amplitude", "phase", "value")  # of a figure


class Parts(Protocol):
    """One figure, of amplitude and phase or of the whole."""

    def __getitem__(self, component: str) -> float | None:
        """Give a component by its name."""


def is_at_least(metric: str, value: float | None) -> bool:
    """Whether a standard figure is a bound: its correlation crosses nowhere up to Nyquist.

    Examples
    --------
    >>> is_at_least("frc50", 1.0), is_at_least("frc50", 0.99), is_at_least("ssim", 1.0)
    (True, False, False)
    """
    return metric.startswith(RESOLUTION) and value is not None and value >= NYQUIST


def bounds(metrics: Mapping[str, Parts]) -> tuple[str, ...]:
    """Name the figures that are at least what they say, as in "frc50.phase"."""
    return tuple(
        f"{metric}.{part}"
        for metric, found in metrics.items()
        for part in COMPONENTS
        if is_at_least(metric, found[part])
    )


def with_bounds(document: dict[str, Any]) -> dict[str, Any]:
    """Up to schema 7 of results, a resolution that was null without a reason was a bound."""
    arms = {name: _arm(arm) for name, arm in document["arms"].items()}
    pairs = [bounded(pair, "standard") for pair in document.get("pairs", ())]
    return {**document, "arms": arms, "pairs": pairs}


def _arm(arm: dict[str, Any]) -> dict[str, Any]:
    found = bounded(arm, "standard")
    for part, metrics in (("own", "standard"), ("halves", "precision")):
        if arm.get(part) is not None:
            found[part] = bounded(arm[part], metrics)
    return found


def bounded(found: Mapping[str, Any], metrics: str) -> dict[str, Any]:
    """Say of *metrics*, a field of a document, which are bounds, also where it says so by null."""
    undefined = found.get("undefined", {})

    def known(metric: str, part: str, value: float | None) -> float | None:
        is_bound = value is None and f"{metric}.{part}" not in undefined
        return NYQUIST if is_bound and metric.startswith(RESOLUTION) else value

    filled = {
        metric: {part: known(metric, part, parts.get(part)) for part in COMPONENTS}
        for metric, parts in found.get(metrics, {}).items()
    }
    return {**found, metrics: filled, "at_least": list(bounds(filled))}
