"""Is a resolution read where holes leave nothing to read it from?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ptyrun.ptycho.metrics import frc

SIDE = 160
FREQUENCY = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None]) * 2
Image = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def pair(seed: int, blur_px: float) -> tuple[Image, Image, float]:
    """A truth, an image that has ever less of it towards fine detail, and where half is left."""
    generator = np.random.default_rng(seed)
    strength = np.exp(-2 * (np.pi * FREQUENCY / 2 * blur_px) ** 2)
    truth = np.fft.fft2(generator.normal(size=(SIDE, SIDE))) * strength
    other = np.fft.fft2(generator.normal(size=(SIDE, SIDE))) * strength
    half = generator.uniform(0.2, 0.7)
    share = 0.25 ** ((FREQUENCY / half) ** 4)
    recon = truth * np.sqrt(share) + other * np.sqrt(1 - share)
    return np.fft.ifft2(recon).real, np.fft.ifft2(truth).real, half


def rows(period: int, *, also_columns: bool = False) -> Mask:
    known = np.arange(SIDE) % period != 0
    return np.broadcast_to(known[:, None], (SIDE, SIDE)) & (known[None] | (not also_columns))


def points(period: int) -> Mask:
    known = np.arange(SIDE) % period != 0
    return np.asarray(known[:, None] | known[None])


MASKS = {
    **{f"every row of {n}": rows(n) for n in (3, 4, 5, 7)},
    **{f"a grid of {n}": rows(n, also_columns=True) for n in (4, 5, 6, 8)},
    **{f"points every {n}": points(n) for n in (3, 4, 6, 8, 16)},
}


@pytest.mark.parametrize("blur_px", [0.6, 1.0, 2.0])
@pytest.mark.parametrize("name", MASKS)
def test_holes_in_a_pattern_move_no_crossing_or_leave_none(name: str, blur_px: float) -> None:
    """Of every fourth row that is missing, no two pairs lie two rows apart: 0.38 read 0.75."""
    covered = MASKS[name]
    for seed in range(6):
        recon, truth, half = pair(seed, blur_px)
        whole = frc.crossing(frc.tapered_correlation(recon, truth), frc.fixed(0.5))
        if abs((whole.nyquist_fraction or 1) - half) > 0.02:
            continue  # beyond what a taper leaves of a smooth object
        rings = frc.tapered_correlation(np.where(covered, recon, 0), truth, covered)
        found = frc.crossing(rings, frc.fixed(0.5)).nyquist_fraction
        assert found is not None, seed
        assert math.isnan(found) or found == pytest.approx(half, abs=0.04), seed


def test_where_holes_leave_no_power_no_agreement_up_to_nyquist_is_claimed() -> None:
    generator = np.random.default_rng(3)
    strength = np.exp(-2 * (np.pi * FREQUENCY / 2 * 3) ** 2)
    smooth = np.fft.ifft2(np.fft.fft2(generator.normal(size=(SIDE, SIDE))) * strength).real
    covered = points(4)
    rings = frc.tapered_correlation(np.where(covered, smooth, 0), smooth, covered)
    noisy = smooth + 1e-3 * smooth.std() * generator.normal(size=(SIDE, SIDE))
    for image in (smooth, noisy):
        rings = frc.tapered_correlation(np.where(covered, image, 0), smooth, covered)
        last = int(np.flatnonzero(rings.told)[-1])
        assert last < len(rings.told) - 1
    found = frc.crossing(rings, frc.fixed(0.5)).nyquist_fraction
    assert found is not None and math.isnan(found)
