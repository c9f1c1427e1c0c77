from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ptyrun.ptycho.metrics import measures, resampling
from ptyrun.ptycho.metrics.phase_pair import PhasePair
from ptyrun.ptycho.metrics.resampling import Blocks, Drawn, blocks_for, interval, metrics_of
from ptyrun.ptycho.metrics.standard_metrics import standard_metrics
from ptyrun.ptycho.metrics.tiles import Tiles
from tests.ptycho.metrics import objects


def pair(side: int, seed: int, smooth_px: float = 0.0, deviation: float = 0.05):
    """A weak object with noise that is correlated over so many pixels."""
    generator = np.random.default_rng(seed)
    amplitude, phase = objects.weak(side, generator)
    truth = amplitude * np.exp(1j * phase)
    noise = objects.noise(side, generator, 1.0)
    if smooth_px:
        noise = gaussian_filter(noise.real, smooth_px) + 1j * gaussian_filter(noise.imag, smooth_px)
        noise /= noise.std()
    return truth + deviation * noise, truth


def tiles_of(recon, truth, covered) -> Tiles:
    tiles = standard_metrics(recon, truth, covered, tiled=True).tiles
    assert tiles is not None
    return tiles


@pytest.mark.parametrize("side", [61, 200])
def test_similarities_that_tiles_add_up_to_are_those_of_scikit_image(side: int) -> None:
    recon, truth = pair(side, 3, deviation=0.2)
    covered = np.ones(truth.shape, bool)
    covered[: side // 4, side // 2 :] = False
    found = standard_metrics(recon, truth, covered).metrics
    phases = PhasePair.of(recon, truth, covered)
    own, wanted = np.abs(recon), np.abs(truth)
    own = own * (wanted[covered].mean() / own[covered].mean())
    for part, images, where in (
        ("amplitude", (own, wanted), covered),
        ("phase", (phases.recon, phases.truth), phases.defined),
    ):
        data_range = float(np.ptp(images[1][where]))
        luminance = part == "amplitude"
        for name in ("ssim", "ms_ssim"):
            theirs = getattr(measures, name)(*images, where, data_range, luminance=luminance)
            assert found[name][part] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_tiles_add_up_to_the_standard_metrics(seed: int) -> None:
    generator = np.random.default_rng(seed)
    height, width = generator.integers(60, 300, 2)
    recon, truth = (image[:height, :width] for image in pair(300, seed, deviation=0.1))
    recon = recon * 1.3
    covered = np.ones(truth.shape, bool)
    if seed % 2:
        covered[: height // 3, width // 2 :] = False
        recon[-20:-10, :10] = 0  # no phase there
    expected = standard_metrics(recon, truth, covered).metrics
    found = metrics_of(tiles_of(recon, truth, covered))
    assert {"mae.phase", "ssim.amplitude", "ms_ssim.phase", "coherence.value"} <= found.keys()
    for name, value in found.items():
        metric, part = name.split(".")
        if metric != "contrast_transfer":
            assert value[0] == pytest.approx(expected[metric][part], rel=1e-6), name


def test_resamples_have_the_area_of_the_image_and_are_the_same_each_time() -> None:
    blocks = Blocks.drawn((12, 10), 3)
    assert blocks.weights.shape == (resampling.N_RESAMPLES, 12, 10)
    assert blocks.weights.sum(axis=(1, 2)) == pytest.approx(13 * 9)
    assert blocks.weights.mean(axis=0) == pytest.approx(13 * 9 / 120, abs=0.15)
    assert np.array_equal(blocks.weights, Blocks.drawn((12, 10), 3).weights)
    assert (Blocks.drawn((4, 4), 1).weights.sum(axis=(1, 2)) == 16).all()


def covers(smooth_px: float, side_tiles: int | None) -> float:
    """How often the interval holds the error of an endless image, over many images."""
    hits, n = 0, 60
    for seed in range(n):
        recon, truth = pair(160, seed, smooth_px)
        tiles = tiles_of(recon, truth, np.ones(truth.shape, bool))
        blocks = (
            blocks_for([tiles]) if side_tiles is None else Blocks.drawn(tiles.shape, side_tiles)
        )
        low, high = interval(metrics_of(tiles, blocks)["mae.amplitude"])
        # Of a weak object the amplitude's error is the noise along it: its mean, 0.05 sqrt(1/pi).
        hits += low <= 0.05 / np.sqrt(np.pi) <= high
    return hits / n


@pytest.mark.slow
def test_intervals_hold_the_true_error_of_correlated_noise() -> None:
    assert covers(6.0, None) >= 0.8
    assert covers(0.0, None) >= 0.85


def test_single_tiles_would_be_too_sure_of_correlated_errors() -> None:
    recon, truth = pair(160, 3, 8.0)
    tiles = tiles_of(recon, truth, np.ones(truth.shape, bool))
    blocks = blocks_for([tiles])
    assert blocks.side_tiles > 1
    widths: list[float] = [
        np.ptp(interval(metrics_of(tiles, each)["mae.amplitude"]))
        for each in (blocks, Blocks.drawn(tiles.shape, 1))
    ]
    assert widths[0] > 1.3 * widths[1]
    # Of an even amplitude, whose phase is as sure everywhere.
    phase = 0.3 * objects.natural(160, np.random.default_rng(3))
    even = np.exp(1j * phase)
    noisy = even + objects.noise(160, np.random.default_rng(4), 0.05)
    white = tiles_of(noisy, even, np.ones(truth.shape, bool))
    assert blocks_for([white]).side_tiles < blocks.side_tiles


def test_paired_differences_are_surer_than_the_metrics_themselves() -> None:
    """Two arms with the same errors, the second by a tenth larger: unlike, for sure."""
    recon, truth = pair(160, 5, 6.0, deviation=0.1)
    worse = truth + 1.1 * (recon - truth)
    covered = np.ones(truth.shape, bool)
    tiles = [tiles_of(image, truth, covered) for image in (recon, worse)]
    blocks = blocks_for(tiles)
    found = [metrics_of(each, blocks)["mae.phase"] for each in tiles]
    own, other = (interval(values) for values in found)
    assert own[1] > other[0], "the intervals overlap"
    low, _ = interval(found[1] - found[0])
    assert low > 0
    same = interval(found[0] - found[0])
    assert same == (0.0, 0.0)


def test_two_arms_of_equal_noise_are_not_distinguished() -> None:
    distinguished = 0
    for seed in range(20):
        recon, truth = pair(128, seed)
        generator = np.random.default_rng(100 + seed)
        other = truth + objects.noise(128, generator, 0.05)
        covered = np.ones(truth.shape, bool)
        tiles = [tiles_of(image, truth, covered) for image in (recon, other)]
        blocks = blocks_for(tiles)
        one, two = (metrics_of(each, blocks)["mae.amplitude"] for each in tiles)
        low, high = interval(one - two)
        distinguished += not low <= 0 <= high
    assert distinguished <= 4


@pytest.mark.parametrize(("side", "has_interval"), [(160, False), (560, True)])
def test_similarity_at_coarse_scales_is_resampled_in_whole_windows_or_not_at_all(
    side: int, has_interval: bool
) -> None:
    recon, truth = pair(side, 4)
    tiles = tiles_of(recon, truth, np.ones(truth.shape, bool))
    drawn = Drawn.of([tiles])
    assert drawn is not None
    found = drawn.resampled(tiles)
    assert ("ms_ssim.phase" in found) is has_interval
    assert "ssim.phase" in found
    if drawn.of_scales is not None:
        assert drawn.of_scales.side_px >= 11 * 16


def test_the_slope_of_contrast_is_what_was_lost() -> None:
    _, truth = pair(200, 9)
    faint = np.abs(truth) * np.exp(0.6j * np.angle(truth))
    found = metrics_of(tiles_of(faint, truth, np.ones(truth.shape, bool)))
    assert found["contrast_transfer.phase"][0] == pytest.approx(0.6, abs=1e-6)
    assert found["contrast_transfer.amplitude"][0] == pytest.approx(1.0)


def test_a_small_image_has_too_few_blocks() -> None:
    recon, truth = pair(20, 1)
    tiles = tiles_of(recon, truth, np.ones(truth.shape, bool))
    assert blocks_for([tiles]) is not None
    covered = np.zeros(truth.shape, bool)
    covered[:10, :10] = True
    assert blocks_for([tiles_of(recon, truth, covered)]) is None
