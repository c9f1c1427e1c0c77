"""Which ring correlations are drawn, beside which thresholds?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ptyrun.comparison.ring_curves import HALVES, QUANTITIES, REFERENCE, RingCurve
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.standard_metrics import THRESHOLDS, TRUTH_THRESHOLDS
from ptyrun.report.ring_plots import Line, Rings, ring_figure
from ptyrun.results import Results

NAMES = {"frc50": "0.5", "frc1over7": "1/7", "frc_half_bit": "½ bit", "frc_one_bit": "1 bit"}
_FIELD = {"field": "complex field"}


def standard_figure(
    results: Results, curves: Sequence[RingCurve], reference: str, pixel_size_m: float | None
) -> Figure | None:
    """Draw the standard correlations; those with the reference where there are some."""
    parts = standard_parts(results, curves, reference)
    if not parts:
        return None
    return ring_figure("Fourier ring correlation, tapered and with its sign", parts, pixel_size_m)


def standard_parts(
    results: Results, curves: Sequence[RingCurve], reference: str
) -> tuple[Rings, ...]:
    """Give the standard correlations, a part for each quantity."""
    groups = (
        (f"with the {reference.lower()}", [c for c in curves if c.second == REFERENCE], True),
        ("of the halves of one arm", [c for c in curves if c.second == HALVES], False),
        (
            "with each other",
            [c for c in curves if c.second in results.arms and c.first in results.arms],
            False,
        ),
    )
    what, chosen, is_first = next((g for g in groups if g[1]), ("", [], False))
    keys = [*results.arms] if is_first else [*dict.fromkeys(map(_key, chosen))]
    parts = []
    for quantity in QUANTITIES:
        of = [curve for curve in chosen if curve.quantity == quantity]
        known = [curve for curve in of if np.isfinite(curve.correlation).any()]
        lines = [
            Line(
                label=_label(results, curve),
                x=curve.frequencies,
                y=curve.correlation,
                style=keys.index(curve.first if is_first else _key(curve)),
                low=curve.low if curve.low.size else None,
                high=curve.high if curve.high.size else None,
            )
            for curve in known
        ]
        if not of:
            continue
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
    return ring_figure(title, parts, pixel_size_m)


def _thresholds(results: Results, curve: RingCurve) -> Iterator[Line]:
    is_held = curve.second == REFERENCE and results.arms[curve.first].frc_thresholds != Noise.BOTH
    limits = TRUTH_THRESHOLDS if is_held else THRESHOLDS
    for n, (name, threshold) in enumerate(limits.items()):
        yield Line(NAMES[name], curve.frequencies, threshold(curve.rings), n, is_threshold=True)


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
