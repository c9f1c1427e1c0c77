"""How sure is a ring correlation? A bootstrap of the directions that each ring has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.metrics.products import product
from ptyrun.ptycho.metrics.resampling import N_RESAMPLES, SEED

N_SECTORS = 18  # of half a turn: a real image has no more

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """Ring and sector of each Fourier pixel of a square image, in the order of an FFT.

    Of a real image half the spectrum says all; its pixels count by their *weight*.

    Attributes
    ----------
    n_rings : int
        R.
    ring : ndarray of int, shape (K,)
        Of each Fourier pixel.
    place : ndarray of int, shape (K,)
        Its sector and ring as one number.
    weight : ndarray of float64, shape (K,)
        How many pixels of the whole spectrum it stands for.
    """

    n_rings: int
    ring: NDArray[np.int32]
    place: NDArray[np.int32]
    weight: NDArray[np.float32] | None

    @staticmethod
    def of(side_px: int, *, is_real: bool) -> Plane:
        """Number the pixels of :func:`scipy.fft.rfft2`, or :func:`scipy.fft.fft2`.

        Parameters
        ----------
        side_px : int
            Of the square image.
        is_real : bool
            Whether it is real.

        Returns
        -------
        Plane
            Of that spectrum.
        """
        return _plane(side_px, is_real)

    def sums(self, values: NDArray[Any]) -> Floats:
        """Add up a spectrum of real values ring by ring.

        Parameters
        ----------
        values : ndarray of float, shape (K,)
            One number per Fourier pixel.

        Returns
        -------
        ndarray of float64, shape (R,)
            In the same unit.
        """
        return np.asarray(np.bincount(self.ring, self._weighted(values), self.n_rings))

    @property
    def n_pixels(self) -> NDArray[np.int64]:
        """Fourier pixels of each ring."""
        return np.rint(np.bincount(self.ring, self.weight, self.n_rings)).astype(np.int64)

    def sector_sums(self, cross: NDArray[Any], powers: tuple[NDArray[Any], NDArray[Any]]) -> Floats:
        """Add up ring by ring in each sector.

        Parameters
        ----------
        cross : ndarray, shape (K,)
            Real part of F1 F2*.
        powers : tuple of ndarray, shape (K,)
            Of both images.

        Returns
        -------
        ndarray of float64, shape (3, S, R)
            Sums of the cross spectrum and of both powers.
        """
        return np.stack([self.sector_sum(each) for each in (cross, *powers)])

    def sector_sum(self, values: NDArray[Any]) -> Floats:
        """Add up one spectrum of real values ring by ring in each sector.

        Parameters
        ----------
        values : ndarray of float, shape (K,)
            One number per Fourier pixel.

        Returns
        -------
        ndarray of float64, shape (S, R)
            In the same unit.
        """
        size = N_SECTORS * self.n_rings
        found = np.bincount(self.place, self._weighted(values), size)
        return np.asarray(found.reshape(N_SECTORS, self.n_rings), np.float64)

    def _weighted(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.weight is None else values * self.weight


@lru_cache(maxsize=4)
def _plane(side_px: int, is_real: bool) -> Plane:
    down = np.rint(fft.fftfreq(side_px, 1 / side_px))[:, None]
    right = down.T
    weight = None
    if is_real:
        right = np.abs(right[:, : side_px // 2 + 1])
        twice = np.full((side_px, right.shape[1]), 2, np.float32)
        twice[:, 0] = 1
        if side_px % 2 == 0:
            twice[:, -1] = 1
        weight = twice.ravel()
    ring = np.rint(np.hypot(down, right)).astype(np.int32).ravel()
    turn = (np.arctan2(down, right) / np.pi % 1.0).ravel()
    sector = np.minimum((turn * N_SECTORS).astype(np.int32), N_SECTORS - 1)
    n_rings = int(ring.max()) + 1
    return Plane(n_rings, ring, sector * n_rings + ring, weight)


def resampled_curves(sums: Floats) -> Floats:
    """Give the ring correlations of resamples; equal sums give equal ones.

    Parameters
    ----------
    sums : ndarray, shape (3, S, R)
        From :meth:`Plane.sector_sums`.

    Returns
    -------
    ndarray of float64, shape (B, R)
        One curve per resample.

    Notes
    -----
    Sectors of a ring are its blocks: what neighbouring Fourier pixels have in common, as by the
    taper, stays within one, and that an object is known better in some directions is seen. Source:
    Kuensch, Ann. Stat. 17, 1217 (1989), doi:10.1214/aos/1176347265.
    """
    weights = _weights(sums.shape[1])
    cross, norm, second = (product(weights, each) for each in sums)
    for power in (norm, second):
        np.maximum(power, 0, out=power)
    norm *= second
    np.sqrt(norm, out=norm)
    np.divide(cross, norm, out=cross, where=norm > 0)
    cross[norm == 0] = 0
    return np.asarray(np.clip(cross, -1, 1, out=cross))


@lru_cache(maxsize=1)
def _weights(n_sectors: int) -> Floats:
    """How often each resample has each sector: (B, S)."""
    generator = np.random.default_rng(SEED)
    chosen = generator.integers(0, n_sectors, (N_RESAMPLES, n_sectors))
    weights = np.zeros((N_RESAMPLES, n_sectors))
    np.add.at(weights, (np.arange(N_RESAMPLES)[:, None], chosen), 1.0)
    return weights


def crossings(curves: Floats, threshold: Floats, side_px: int) -> Floats:
    """Find where each curve first falls below the threshold.

    As :func:`ptyrun.ptycho.metrics.frc.crossing`.

    Parameters
    ----------
    curves : ndarray of float, shape (B, R)
        Ring correlations.
    threshold : ndarray of float, shape (R,)
        Its level at each ring.
    side_px : int
        Of the square images.

    Returns
    -------
    ndarray of float64, shape (B,)
        In fractions of Nyquist; 1 where a curve never does.
    """
    gap = (curves - threshold)[:, 1:]
    low = gap < 0
    ring = np.argmax(low, axis=1)
    each = np.arange(len(curves))
    before, after = gap[each, np.maximum(ring - 1, 0)], gap[each, ring]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(ring > 0, before / (before - after), 1.0)
    # Ring 0 was left out: index 0 is ring 1.
    found = np.where(ring > 0, ring + part, 1.0) / (side_px / 2)
    return np.asarray(np.where(low.any(axis=1), np.minimum(found, 1.0), 1.0))
