"""Do intervals of few blocks of correlated errors exclude the truth as seldom as they say?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ptyrun.ptycho.metrics import few_blocks
from ptyrun.ptycho.metrics.few_blocks import (
    Resampled,
    honest_intervals,
    resampled_figures,
    student,
)
from ptyrun.ptycho.metrics.resampling import Blocks, Drawn, interval, metrics_of
from ptyrun.ptycho.metrics.standard_metrics import standard_metrics
from ptyrun.ptycho.metrics.tiles import Tiles
from tests.ptycho.metrics import objects


def field(side: int, seed: int, smooth_tiles: float) -> np.ndarray:
    """Errors of tiles around 0, correlated over so many of them."""
    white = np.random.default_rng(seed).standard_normal((side + 20, side + 20))
    return (gaussian_filter(white, smooth_tiles) if smooth_tiles else white)[10:-10, 10:-10]


def tiles_of(recon: np.ndarray, truth: np.ndarray) -> Tiles:
    tiles = standard_metrics(recon, truth, np.ones(truth.shape, bool), tiled=True).tiles
    assert tiles is not None
    return tiles


@pytest.mark.parametrize(
    ("side", "side_tiles", "smooth_tiles"), [(9, 3, 0), (12, 4, 0.7), (20, 6, 1.2), (32, 6, 1.0)]
)
def test_few_blocks_of_correlated_errors_exclude_zero_as_seldom_as_they_say(
    side: int, side_tiles: int, smooth_tiles: float
) -> None:
    blocks, n = Blocks.drawn((side, side), side_tiles), 500
    plain = honest = 0
    for seed in range(n):
        errors = field(side, seed, smooth_tiles)
        values = blocks.resampled(errors) / side**2
        adds = (errors - errors.mean()) / side**2
        found = Resampled(values, blocks.n_blocks, side_tiles, side_tiles / 2, adds)
        ends = (interval(values), *honest_intervals([found]))
        plain_low, plain_high, low, high = (each for pair in ends if pair for each in pair)
        plain += not plain_low <= 0 <= plain_high
        honest += not low <= 0 <= high
    assert plain > 0.075 * n, "the bootstrap alone is sure enough: the test no longer bites"
    assert honest <= 0.07 * n


def test_of_many_blocks_of_white_errors_an_interval_stays_what_it_was() -> None:
    errors = field(64, 3, 0)
    assert few_blocks.longer_by_lags(errors - errors.mean(), 4, 2) == pytest.approx(1, abs=0.1)
    assert student(400) == pytest.approx(1, abs=0.01)
    assert student(9) > 1.2
    same = Resampled(np.zeros(1000), 9)
    assert honest_intervals([same - same]) == [(0.0, 0.0)]
    assert honest_intervals([Resampled(np.full(1000, np.nan), 9)]) == [None]


def test_what_a_tile_adds_is_what_leaving_it_out_takes_away() -> None:
    generator = np.random.default_rng(4)
    amplitude, phase = objects.weak(160, generator)
    truth = amplitude * np.exp(1j * phase)
    recon = truth + objects.noise(160, generator, 0.05)
    tiles = tiles_of(recon, truth)
    adds = few_blocks.influences(tiles)
    whole = metrics_of(tiles)
    once = np.ones((1, *tiles.shape))
    once[0, 3, 5] = 0
    without = metrics_of(tiles, Blocks(once, 1, tiles.tile_px, 1))
    for name in ("mae.phase", "ssim.phase", "coherence.value", "contrast_transfer.amplitude"):
        assert adds[name].sum() == pytest.approx(0, abs=1e-6 * abs(whole[name][0])), name
        taken = whole[name][0] - without[name][0]
        assert adds[name][3, 5] == pytest.approx(taken, rel=0.1), name


@pytest.mark.slow
def test_of_two_arms_of_equal_correlated_noise_few_are_called_different() -> None:
    side, n_pairs, names = 160, 200, ("mae.phase", "ssim.phase", "complex_error.value")
    called = dict.fromkeys(names, 0)
    for seed in range(n_pairs):
        amplitude, phase = objects.weak(side, np.random.default_rng(seed))
        truth = amplitude * np.exp(1j * phase)
        tiles = []
        for arm in range(2):
            white = objects.noise(side, np.random.default_rng([seed, 1 + arm]), 1.0)
            blurred = gaussian_filter(white.real, 3) + 1j * gaussian_filter(white.imag, 3)
            # By what blurring leaves of many images, not of this one.
            recon = truth + 0.05 * 6 * np.sqrt(np.pi) * blurred
            tiles.append(tiles_of(recon, truth))
        drawn = Drawn.of(tiles)
        assert drawn is not None
        one, other = (resampled_figures(drawn, each, 1.0) for each in tiles)
        for name, ends in zip(
            names, honest_intervals([one[name] - other[name] for name in names]), strict=True
        ):
            assert ends is not None
            called[name] += not ends[0] <= 0 <= ends[1]
    assert max(called.values()) <= 0.09 * n_pairs, called
