"""Does a curve that falls below a threshold lie above it again, over finer detail?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from ptyrun.ptycho.metrics.frc import RingCorrelation, Threshold

LEAST_RINGS = 4  # above again by chance are fewer
# What thresholds are called in notes and beside curves.
LEVELS = {"frc50": "0.5", "frc1over7": "1/7", "frc_half_bit": "½ bit", "frc_one_bit": "1 bit"}


def above_again(rings: RingCorrelation, threshold: Threshold) -> float | None:
    """Find up to where most rings after the first one below the threshold lie above it.

    Parameters
    ----------
    rings : RingCorrelation
        The curve.
    threshold : Threshold
        Its level at each ring.

    Returns
    -------
    float, optional
        In fractions of Nyquist; None where the curve stays below, or never falls.
    """
    gap = (rings.correlation - threshold(rings))[1:]
    if np.isnan(gap).any() or not (gap < 0).any():
        return None
    first = int(np.argmax(gap < 0))
    if not rings.estimated[first + 1]:
        return None  # holes leave nothing of it: 0 stands for what is not known
    after = gap[first + 1 :]
    share_above = np.cumsum(after >= 0) / np.arange(1, len(after) + 1)
    mostly = np.flatnonzero((share_above > 0.5) & (after >= 0))
    if not len(mostly) or np.count_nonzero(after[: mostly[-1] + 1] >= 0) < LEAST_RINGS:
        return None
    ring = len(gap) - len(after) + int(mostly[-1]) + 1
    return float(rings.frequencies[ring])


def of_levels(names: Iterable[str]) -> str:
    """Name the resolutions of some thresholds in words.

    Parameters
    ----------
    names : iterable of str
        Of metrics.

    Returns
    -------
    str
        As notes begin.

    Examples
    --------
    >>> of_levels(["frc50", "frc1over7"])
    'FRC at 0.5, 1/7'
    """
    return f"FRC at {', '.join(LEVELS.get(name, name) for name in names)}"


def notes_of_dips(
    curves: Mapping[str, RingCorrelation], thresholds: Mapping[str, Threshold]
) -> Iterator[str]:
    """Say of which curves the first ring below is not the end of agreement.

    Parameters
    ----------
    curves : mapping
        By what they are of.
    thresholds : mapping
        By the name of the metric.

    Yields
    ------
    str
        One sentence for each curve.
    """
    for part, rings in curves.items():
        found = {name: above_again(rings, level) for name, level in thresholds.items()}
        ends = {name: end for name, end in found.items() if end is not None}
        if ends:
            yield (
                f"{of_levels(ends)} of {part}: the first ring below, though most rings from there "
                f"to {max(ends.values()):.2f} of Nyquist are above: coarse structure disagrees "
                "more than finer detail"
            )
