"""How sure is a ring correlation? A bootstrap of the directions that each ring has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics.resampling import N_RESAMPLES, SEED

N_SECTORS = 18  # of half a turn: a real image has no more

Floats = NDArray[np.float64]


def sector_sums(
    cross: NDArray[Any], powers: tuple[NDArray[Any], NDArray[Any]], rings: NDArray[np.int64]
) -> Floats:
    """Sum a spectrum (N * N,) ring by ring in each sector: (3, S, R).

    Parameters
    ----------
    cross : ndarray, shape (N * N,)
        Real part of F1 F2*, zero frequency in the middle.
    powers : tuple of ndarray, shape (N * N,)
        Of both images.
    rings : ndarray of int, shape (N * N,)
        Ring of each Fourier pixel.
    """
    side = round(len(rings) ** 0.5)
    offsets = np.arange(side) - side // 2
    turn = np.arctan2(offsets[:, None], offsets[None, :]).ravel() / np.pi % 1.0
    sector = np.minimum((turn * N_SECTORS).astype(np.int64), N_SECTORS - 1)
    n_rings = int(rings.max()) + 1
    place = sector * n_rings + rings
    sums = [np.bincount(place, each, N_SECTORS * n_rings) for each in (cross, *powers)]
    return np.asarray(np.stack(sums).reshape(3, N_SECTORS, n_rings), np.float64)


def resampled_curves(sums: Floats) -> Floats:
    """Give the ring correlations (B, R) of resamples; equal sums give equal ones.

    Parameters
    ----------
    sums : ndarray, shape (3, S, R)
        From :func:`sector_sums`.

    Notes
    -----
    Sectors of a ring are its blocks: what neighbouring Fourier pixels have in common, as by the
    taper, stays within one, and that an object is known better in some directions is seen. Source:
    Kuensch, Ann. Stat. 17, 1217 (1989), doi:10.1214/aos/1176347265.
    """
    generator = np.random.default_rng(SEED)
    n_sectors = sums.shape[1]
    chosen = generator.integers(0, n_sectors, (N_RESAMPLES, n_sectors))
    weights = np.zeros((N_RESAMPLES, n_sectors))
    np.add.at(weights, (np.arange(N_RESAMPLES)[:, None], chosen), 1.0)
    cross, first, second = (weights @ each for each in sums)
    norm = np.sqrt(np.maximum(first, 0) * np.maximum(second, 0))
    return np.asarray(
        np.clip(np.divide(cross, norm, out=np.zeros_like(norm), where=norm > 0), -1, 1)
    )


def crossings(curves: Floats, threshold: Floats, side_px: int) -> Floats:
    """Find where each curve (B, R) first falls below the threshold (R,): 1 where it never does.

    As :func:`ptyrun.ptycho.metrics.frc.crossing`, in fractions of Nyquist.
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
