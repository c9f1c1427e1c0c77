"""Which ring correlations are drawn, beside which thresholds?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.ring_curves import HALVES, QUANTITIES, REFERENCE, RingCurve
from ptyrun.ptycho.metrics.dips import LEVELS
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.standard_metrics import THRESHOLDS, TRUTH_THRESHOLDS
from ptyrun.report.ring_plots import Line, Rings, ring_figure
from ptyrun.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIELD = {"field": "complex field"}


@dataclass(frozen=True)
class RingGroup:
    """What is correlated with what, and the correlations of each quantity."""

    name: str
    heading: str
    parts: tuple[Rings, ...]


def standard_figure(
    results: Results, curves: Sequence[RingCurve], reference: str, pixel_size_m: float | None
) -> Figure | None:
    """Draw the standard correlations, a row for each kind of pair."""
    groups = standard_groups(results, curves, reference)
    if not groups:
        return None
    title = "Fourier ring correlation, tapered and with its sign"
    return ring_figure(title, [group.parts for group in groups], pixel_size_m)


def standard_groups(
    results: Results, curves: Sequence[RingCurve], reference: str
) -> tuple[RingGroup, ...]:
    """Give the standard correlations: with the reference, of halves of an arm, of two arms."""
    known = [curve for curve in curves if curve.first in results.arms]
    kinds = {
        "reference": (
            f"with the {reference.lower()}", [c for c in known if c.second == REFERENCE]
        ),
        "halves": ("of two halves of one arm", [c for c in known if c.second == HALVES]),
        "pairs": ("of two arms", [c for c in known if c.second in results.arms]),
    }  # fmt: skip
    return tuple(
        RingGroup(name, what, _parts(results, what, chosen))
        for name, (what, chosen) in kinds.items()
        if chosen
    )


def _parts(results: Results, what: str, chosen: Sequence[RingCurve]) -> tuple[Rings, ...]:
    arms = list(results.arms)
    pairs = list(dict.fromkeys(map(_key, chosen)))
    parts = []
    for quantity in QUANTITIES:
        of = [curve for curve in chosen if curve.quantity == quantity]
        known = [curve for curve in of if np.isfinite(curve.correlation).any()]
        if not of:
            continue
        lines = [
            Line(
                label=_label(results, curve),
                x=curve.frequencies,
                y=curve.correlation,
                style=(
                    pairs.index(_key(curve)) if curve.second in arms else arms.index(curve.first)
                ),
                low=curve.low if curve.low.size else None,
                high=curve.high if curve.high.size else None,
            )
            for curve in known
        ]
        title = f"{_FIELD.get(quantity, quantity)} {what}"
        limits = list(_thresholds(results, known[0])) if known else []
        why = "" if known else _why_none(results, of[0])
        parts.append(Rings(title, (*limits, *lines), why, quantity))
    return tuple(parts)


def upstream_figure(
    results: Results,
    curves: Mapping[str, Mapping[str, NDArray[np.float64]]],
    sides_px: Mapping[str, int],
    pixel_size_m: float | None,
) -> Figure | None:
    """Draw PtychoPINN's correlations with the ground truth: moduli, untapered."""
    parts = []
    for quantity in ("amplitude", "phase"):
        lines = []
        for n, (name, arm) in enumerate(results.arms.items()):
            if name not in curves:
                continue
            y = curves[name][f"{quantity}_frc"]
            x = np.arange(len(y)) / (sides_px[name] / 2)
            lines.append(Line(arm.label, x, y, style=n))
        if lines:
            parts.append(Rings(quantity, tuple(lines)))
    if not parts:
        return None
    title = "PtychoPINN’s FRC: moduli without taper, blind to sign; not the standard curves"
    return ring_figure(title, [parts], pixel_size_m)


def _thresholds(results: Results, curve: RingCurve) -> Iterator[Line]:
    is_held = curve.second == REFERENCE and results.arms[curve.first].frc_thresholds != Noise.BOTH
    limits = TRUTH_THRESHOLDS if is_held else THRESHOLDS
    for n, (name, threshold) in enumerate(limits.items()):
        yield Line(LEVELS[name], curve.frequencies, threshold(curve.rings), n, is_threshold=True)


def _why_none(results: Results, curve: RingCurve) -> str:
    arm = results.arms[curve.first]
    return arm.undefined.get(f"frc50.{curve.quantity}", "there is no correlation to draw")


def _label(results: Results, curve: RingCurve) -> str:
    label = results.arms[curve.first].label
    if curve.second in results.arms:
        return f"{label} – {results.arms[curve.second].label}"
    return label


def _key(curve: RingCurve) -> str:
    return f"{curve.first}/{curve.second}"
