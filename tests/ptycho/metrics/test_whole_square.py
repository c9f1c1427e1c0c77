"""Is the largest square without holes found, and does a curve keep to it?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from ptyrun.comparison import ring_curves
from ptyrun.ptycho.metrics import frc
from ptyrun.ptycho.metrics.standard_metrics import correlations
from ptyrun.ptycho.metrics.whole_square import LEAST_SIDE, whole_square
from tests.ptycho.metrics.objects import natural, noise


def side_by_looking(covered: np.ndarray) -> int:
    side = len(covered)
    fits = (
        length
        for length in range(side, 0, -1)
        for top in range(side - length + 1)
        for left in range(side - length + 1)
        if covered[top : top + length, left : left + length].all()
    )
    return next(fits, 0)


@given(seed=st.integers(0, 2**32 - 1), side=st.integers(1, 20), n_holes=st.integers(0, 4))
def test_the_largest_square_without_holes_is_found(seed: int, side: int, n_holes: int) -> None:
    generator = np.random.default_rng(seed)
    covered = np.ones((side, side), bool)
    covered[tuple(generator.integers(0, side, (2, n_holes)))] = False
    found, largest = whole_square(covered), side_by_looking(covered)
    if found is None:
        assert largest < LEAST_SIDE * side
    else:
        assert covered[found].all()
        assert {each.stop - each.start for each in found} == {largest}


def test_of_several_the_most_central_one_is_taken() -> None:
    covered = np.ones((20, 20), bool)
    covered[:, 0] = False
    assert whole_square(covered) == (slice(0, 19), slice(1, 20))
    covered[:, 1:3] = covered[:, -3:] = False
    assert whole_square(covered) == (slice(3, 17), slice(3, 17))


def pair(side: int, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """A smooth object, and the same with white noise."""
    generator = np.random.default_rng(3)
    truth = 1 + 0.1 * gaussian_filter(natural(side, generator), 1.5)
    return truth + noise(side, generator, deviation), truth


def test_a_few_holes_at_the_rim_are_left_out_by_a_smaller_square() -> None:
    recon, truth = pair(160, 0.02)
    covered = np.ones(truth.shape, bool)
    covered[0] = covered[:7, -5:] = False
    inside = whole_square(covered)
    assert inside is not None
    found = frc.tapered_correlation(recon, truth, covered)
    own = frc.tapered_correlation(recon[inside], truth[inside])
    assert found.side_px == own.side_px == 154  # 155 has a factor of 31
    np.testing.assert_array_equal(found.correlation, own.correlation)
    assert found.correlation[1:].min() > -0.1


def test_beyond_what_holes_let_be_told_no_correlation_is_shown() -> None:
    generator = np.random.default_rng(5)
    truth = np.exp(2j * np.pi * np.arange(128) / 20)[:, None] * np.ones(128)
    recon = truth + noise(128, generator, 1e-4)
    covered = np.ones(truth.shape, bool)
    covered[20:110:12, 20:110:12] = False
    curves = correlations(recon, truth, covered)
    untold = ~curves.field.told
    assert untold.any()
    *_, shown = ring_curves.curves_of("arm", ring_curves.REFERENCE, curves)
    assert np.isnan(shown.correlation[untold]).all()
    assert np.isfinite(shown.correlation[~untold]).all()
    first = int(np.flatnonzero(untold[1:])[0]) + 1
    assert untold[first:].all()


@pytest.mark.parametrize("holes", [False, True])
def test_curves_of_unequal_size_are_read_back_as_they_are(holes: bool) -> None:
    recon, truth = pair(64, 0.02)
    covered = np.ones(truth.shape, bool)
    covered[:2] = not holes
    recon[:, -8:] = 1e-9  # without a phase
    curves = correlations(recon, truth, covered)
    assert curves.phase.side_px < curves.field.side_px
    back = ring_curves.from_arrays(ring_curves.arrays_of(curves))
    for name in ring_curves.QUANTITIES:
        one, other = getattr(curves, name), getattr(back, name)
        assert one.side_px == other.side_px
        np.testing.assert_array_equal(one.n_pixels, other.n_pixels)
        np.testing.assert_array_equal(one.correlation, other.correlation)


@pytest.mark.parametrize("side", [61, 62, 79, 127, 158])
def test_sides_with_large_prime_factors_lose_a_few_pixels_at_each_edge(side: int) -> None:
    recon, truth = pair(side, 0.02)
    found = frc.tapered_correlation(recon, truth)
    assert side - 6 < found.side_px < side
    start = (side - found.side_px) // 2
    middle = (slice(start, start + found.side_px),) * 2
    own = frc.tapered_correlation(recon[middle], truth[middle])
    np.testing.assert_array_equal(found.correlation, own.correlation)
