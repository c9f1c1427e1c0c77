"""How much longer must intervals of few blocks of correlated errors be, not to be too sure?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import ndtri, stdtrit  # scipy.stats takes half a second to import

from ptyrun.ptycho.metrics.resampling import (
    CONFIDENCE,
    OF_SCALES,
    Blocks,
    Drawn,
    Interval,
    figures_of,
    quantiles,
)
from ptyrun.ptycho.metrics.tiles import Tiles

_UPPER = (1 + CONFIDENCE) / 2
_STEP = 1e-5  # of what a sum has by chance

Floats = NDArray[np.float64]
N = TypeVar("N", float, NDArray[np.float64])


@lru_cache(maxsize=64)
def student(n_blocks: int) -> float:
    """By how much an interval of so many blocks is too short.

    Parameters
    ----------
    n_blocks : int
        At least 2.

    Returns
    -------
    float
        At least 1.

    Notes
    -----
    A bootstrap divides by n, not n - 1, and takes the normal quantile for Student's. Source:
    Hesterberg, Am. Stat. 69, 371 (2015), doi:10.1080/00031305.2015.1089789.

    Examples
    --------
    >>> round(student(9), 2), round(student(1000), 2)
    (1.25, 1.0)
    """
    of_few = float(stdtrit(n_blocks - 1, _UPPER)) / float(ndtri(_UPPER))
    return of_few * math.sqrt(n_blocks / (n_blocks - 1))


def n_compared(blocks: Blocks, share: float) -> int:
    """Count the blocks that compared pixels fill.

    Parameters
    ----------
    blocks : Blocks
        Of a whole image.
    share : float
        Of its pixels, those that are compared.

    Returns
    -------
    int
        At least 1.
    """
    return max(1, round(share * blocks.n_blocks))


def lengthened(low: N, median: N, high: N, by: float) -> tuple[N, N]:
    """Give the ends of an interval that is so many times as long, on either side of its median.

    Parameters
    ----------
    low, median, high : float or ndarray of float
        Quantiles of what was resampled.
    by : float
        How many times.

    Returns
    -------
    tuple of float or ndarray of float
        Its ends, as the quantiles are given.
    """
    return median - by * (median - low), median + by * (high - median)


def longer_by_lags(influence: Floats, side_tiles: int, full_tiles: float) -> float:
    r"""By how much blocks of that side make too sure, since neighbouring blocks are correlated.

    Parameters
    ----------
    influence : ndarray of float, shape (ty, tx)
        What each tile adds to a figure.
    side_tiles : int
        Of a block.
    full_tiles : float
        Products of tiles count in full up to this distance, and less up to twice that.

    Returns
    -------
    float
        At least 1.

    Notes
    -----
    Blocks of side L weigh products at a distance h by :math:`1 - h / L`, so that all of them are
    too little; a trapezoid counts them in full, as the difference of twice that of L and once that
    of L / 2 does. Source: Politis and Romano, J. Time Ser. Anal. 16, 67 (1995),
    doi:10.1111/j.1467-9892.1995.tb00223.x.
    """
    shape = [2 * length for length in influence.shape]
    products = fft.irfft2(np.abs(fft.rfft2(influence, shape)) ** 2, shape)
    lags = [np.minimum(np.arange(n), n - np.arange(n)) for n in shape]
    down, right = (np.clip(1 - lag / side_tiles, 0, 1) for lag in lags)
    full_down, full_right = (np.clip(2 - lag / full_tiles, 0, 1) for lag in lags)
    of_blocks, in_full = down @ products @ right, full_down @ products @ full_right
    return math.sqrt(in_full / of_blocks) if in_full > of_blocks > 0 else 1.0


def influences(tiles: Tiles) -> dict[str, Floats]:
    """What each tile adds to each figure, to first order.

    Parameters
    ----------
    tiles : Tiles
        Of one image.

    Returns
    -------
    dict of str to ndarray of float64, shape (ty, tx)
        By metric and component, each in the unit of its figure.
    """
    names = list(tiles.sums)
    stacked = np.stack([tiles.sums[name] for name in names]).astype(np.float64)
    total = stacked.sum(axis=(1, 2))[:, None]
    steps = _STEP * np.sqrt((stacked**2).sum(axis=(1, 2)))
    steps[steps == 0] = 1.0
    moved = figures_of(names, np.hstack([total + np.diag(steps), total - np.diag(steps)]), tiles)
    slopes = {}
    with np.errstate(invalid="ignore"):
        for name, found in moved.items():
            slopes[name] = (found[: len(names)] - found[len(names) :]) / (2 * steps)
    flat = stacked.reshape(len(names), -1)
    adds = np.nan_to_num(np.stack(list(slopes.values())), posinf=0.0, neginf=0.0) @ flat
    return dict(zip(slopes, adds.reshape(-1, *tiles.shape), strict=True))


@dataclass(frozen=True)
class Resampled:
    """A figure of each resample, and what tells how sure that is.

    Attributes
    ----------
    values : ndarray of float64, shape (B,)
        One per resample.
    n_blocks : int
        Of a resample.
    side_tiles : int
        Side of a block.
    full_tiles : float
        As :func:`longer_by_lags` takes it.
    influence : ndarray of float64, shape (ty, tx), optional
        What each tile adds; None where that is not known.
    """

    values: Floats
    n_blocks: int
    side_tiles: int = 1
    full_tiles: float = 1.0
    influence: Floats | None = None

    def __sub__(self, other: Resampled) -> Resampled:
        """Give the difference of two figures by the same blocks."""
        influence = None
        if self.influence is not None and other.influence is not None:
            influence = self.influence - other.influence
        with np.errstate(invalid="ignore"):
            values = self.values - other.values
        n_blocks = min(self.n_blocks, other.n_blocks)
        return Resampled(values, n_blocks, self.side_tiles, self.full_tiles, influence)

    @property
    def longer(self) -> float:
        """By how much the middle 95 % of the values are too little."""
        by_lags = 1.0
        if self.influence is not None:
            by_lags = longer_by_lags(self.influence, self.side_tiles, self.full_tiles)
        return student(max(2, self.n_blocks)) * by_lags


def resampled_figures(drawn: Drawn, tiles: Tiles, share: float) -> dict[str, Resampled]:
    """Resample every figure that has enough blocks.

    Parameters
    ----------
    drawn : Drawn
        The blocks.
    tiles : Tiles
        Of one image.
    share : float
        Of its pixels, those that are compared.

    Returns
    -------
    dict of str to Resampled
        By metric and component.
    """
    adds = influences(tiles)
    found = {}
    for name, values in drawn.resampled(tiles).items():
        larger = drawn.of_scales if name.startswith(OF_SCALES) else None
        blocks = larger or drawn.blocks
        side = blocks.side_tiles
        found[name] = Resampled(values, n_compared(blocks, share), side, side / 2, adds[name])
    return found


def honest_intervals(found: list[Resampled]) -> list[Interval | None]:
    """Give the intervals of figures, longer than the middle 95 % of what was resampled.

    Parameters
    ----------
    found : list of Resampled
        Each a figure, or a difference of two.

    Returns
    -------
    list of Interval, optional
        In the order given; None where resamples do not say.
    """
    middle = (1 - _UPPER, 0.5, _UPPER)
    ends: list[Interval | None] = []
    for each, known in zip(found, quantiles([one.values for one in found], middle), strict=True):
        if known is None:
            ends.append(None)
            continue
        low, median, high = known
        ends.append(lengthened(low, median, high, each.longer if low < high else 1.0))
    return ends
