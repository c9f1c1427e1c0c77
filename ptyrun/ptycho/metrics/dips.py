"""Does a curve that falls below a threshold lie above it again, over finer detail?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ptyrun.ptycho.metrics.frc import RingCorrelation, Threshold

LEAST_RINGS = 4  # above again by chance are fewer
# A curve that jitters through a threshold is told of where it ends so much farther than it begins.
FARTHER = 1.25
# What thresholds are called in notes and beside curves.
LEVELS = {"frc50": "0.5", "frc1over7": "1/7", "frc_half_bit": "½ bit", "frc_one_bit": "1 bit"}


@dataclass(frozen=True)
class Dip:
    """What lies behind the first ring below a threshold.

    Attributes
    ----------
    end : float
        Up to where most rings from there lie above, in fractions of Nyquist.
    first : float
        The first ring below, in fractions of Nyquist.
    is_coarse : bool
        Whether rings up to the first one below agree less than those above behind it.
    """

    end: float
    first: float
    is_coarse: bool

    @property
    def matters(self) -> bool:
        """Whether it says more than that rings jitter."""
        return self.is_coarse or self.end > FARTHER * self.first


def above_again(rings: RingCorrelation, threshold: Threshold) -> Dip | None:
    """Find up to where most rings after the first one below the threshold lie above it.

    Parameters
    ----------
    rings : RingCorrelation
        The curve.
    threshold : Threshold
        Its level at each ring.

    Returns
    -------
    Dip, optional
        None where the curve stays below, or never falls.
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
    end = first + 1 + int(mostly[-1])
    correlation = rings.correlation[1:]
    behind = correlation[first + 1 : end + 1][gap[first + 1 : end + 1] >= 0]
    return Dip(
        end=float(rings.frequencies[end + 1]),
        first=float(rings.frequencies[first + 1]),
        is_coarse=bool(correlation[: first + 1].mean() < behind.mean()),
    )


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
        One sentence for each curve and kind.
    """
    for part, rings in curves.items():
        found = {name: above_again(rings, level) for name, level in thresholds.items()}
        dips = {name: dip for name, dip in found.items() if dip is not None and dip.matters}
        coarse = {name: dip.end for name, dip in dips.items() if dip.is_coarse}
        jitter = {name: dip.end for name, dip in dips.items() if not dip.is_coarse}
        if coarse:
            yield (
                f"{of_levels(coarse)} of {part}: the first ring below, though most rings from "
                f"there to {max(coarse.values()):.2f} of Nyquist are above: coarse structure "
                "disagrees more than finer detail"
            )
        if jitter:
            yield (
                f"{of_levels(jitter)} of {part}: single rings fall below before the curve does; "
                f"the first one counts, most up to {max(jitter.values()):.2f} of Nyquist are above"
            )
