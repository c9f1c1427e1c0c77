"""Where do resampled ring correlations fall below a threshold?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.frc import RingCorrelation, Threshold, crossing
from ptyrun.ptycho.metrics.sectors import crossings
from ptyrun.resolutions import NYQUIST


def resampled_crossings(
    rings: RingCorrelation, thresholds: Mapping[str, Threshold]
) -> dict[str, NDArray[np.float64]]:
    """Give where curves of resampled directions cross: 1 where they do not.

    Parameters
    ----------
    rings : RingCorrelation
        The curve and its sectors.
    thresholds : mapping
        By name.

    Returns
    -------
    dict
        By the thresholds' names, (B,) in fractions of Nyquist; nothing of a curve that does not
        exist, or has no sectors.
    """
    curves = rings.resampled
    if curves is None or np.isnan(rings.correlation).any():
        return {}
    found = {}
    for name, threshold in thresholds.items():
        plain = crossings(curves, threshold(rings), rings.side_px)
        taken_off = np.clip(plain + _taken_off(rings, threshold), 0.0, NYQUIST)
        found[name] = np.where(plain >= NYQUIST, NYQUIST, taken_off)
    return found


def _taken_off(rings: RingCorrelation, threshold: Threshold) -> float:
    if rings.coarser is None:
        return 0.0
    plain = crossing(replace(rings, coarser=None), threshold)
    ends = (crossing(rings, threshold).nyquist_fraction, plain.nyquist_fraction)
    found, without = (1.0 if end is None else end for end in ends)
    return found - without
