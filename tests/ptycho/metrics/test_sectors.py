from __future__ import annotations

import numpy as np
import pytest

from ptyrun.ptycho.metrics import frc
from ptyrun.ptycho.metrics.resampling import interval
from ptyrun.ptycho.metrics.sectors import crossings, resampled_curves
from tests.ptycho.metrics import objects


def halves(side: int, seed: int, deviation: float = 1.0):
    generator = np.random.default_rng(seed)
    signal = objects.natural(side, generator)
    noise = deviation * generator.standard_normal((2, side, side))
    return signal + noise[0], signal + noise[1]


@pytest.mark.parametrize("has_holes", [False, True])
def test_sectors_add_up_to_the_curve(has_holes: bool) -> None:
    first, second = halves(120, 1)
    covered = np.ones(first.shape, bool)
    if has_holes:
        covered[:50, 70:] = False
    rings = frc.tapered_correlation(first, second, covered)
    cross, one, other = rings.sectors.sum(axis=1)
    assert np.clip(cross / np.sqrt(one * other), -1, 1) == pytest.approx(
        rings.correlation, abs=1e-9
    )


def test_crossings_of_curves_are_those_of_each() -> None:
    generator = np.random.default_rng(2)
    curves = np.clip(np.linspace(1.1, -0.1, 41) + 0.2 * generator.standard_normal((50, 41)), -1, 1)
    curves[0] = 1.0
    curves[1] = -1.0
    n_pixels = np.arange(1, 42) * 6
    threshold = frc.bits(0.5)
    expected = []
    for curve in curves:
        rings = frc.RingCorrelation(curve, n_pixels, 80)
        found = frc.crossing(rings, threshold).nyquist_fraction
        expected.append(1.0 if found is None else found)
    wanted = threshold(frc.RingCorrelation(curves[0], n_pixels, 80))
    assert crossings(curves, wanted, 80) == pytest.approx(expected)


def test_intervals_of_a_crossing_hold_the_crossing_of_other_noise() -> None:
    """Of halves of one spectrum and other noise the crossing is known from many of them."""
    found = []
    threshold = frc.fixed(0.5)
    ends = []
    for seed in range(40):
        rings = frc.tapered_correlation(*halves(128, seed, 1.0))
        found.append(frc.crossing(rings, threshold).nyquist_fraction)
        level = threshold(rings)
        ends.append(interval(crossings(resampled_curves(rings.sectors), level, rings.side_px)))
    middle = float(np.median(found))
    held = sum(low <= middle <= high for low, high in ends)
    assert held >= 30
    assert max(high - low for low, high in ends) < 0.35
