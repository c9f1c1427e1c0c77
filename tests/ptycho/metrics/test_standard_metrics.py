from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.signal.windows import tukey

from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics import frc, measures
from ptyrun.ptycho.metrics.alignment import align
from ptyrun.ptycho.metrics.continuation import cosine_window
from ptyrun.ptycho.metrics.evaluation import mutual
from ptyrun.ptycho.metrics.standard_metrics import SOURCES, standard_metrics
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.resolutions import bounds
from tests.ptycho.metrics.objects import natural, noise

# The region of the star that its probe reaches well, before 2 px at each side are cropped.
STAR = Region(121, 120, 258, 258)
BETTER_WHEN_LARGER = {
    *("psnr", "weighted_psnr", "ssim", "ms_ssim", "coherence", "contrast_correlation")
}


@pytest.fixture(scope="module")
def star(shared: Path) -> dict[str, np.ndarray]:
    names = {
        "converged": "1mode_60ep",
        "poor": "1mode_5ep_unconverged",
        "even": "3mode_50ep_half_even",
        "odd": "3mode_50ep_half_odd",
    }
    found = {
        name: open_reconstruction(shared / f"data/siemens_ptychi_lsqml_{stem}.npz").object
        for name, stem in names.items()
    }
    truth = open_scan(shared / "data/siemens_star_contract_norm.npz").object_guess
    assert truth is not None
    found["stand-in"] = truth
    return {name: image[STAR.slices] for name, image in found.items()}


def measured(star: dict[str, np.ndarray], name: str):
    aligned = align(star[name], star["stand-in"])
    return standard_metrics(aligned.recon, aligned.truth, aligned.covered)


def goodness(name: str, value: float | None) -> float:
    """Larger is better; a ring correlation that never crosses is the best there is."""
    if name.startswith("frc"):
        return 1.0 if value is None else value
    assert value is not None
    if name == "contrast_transfer":
        return -abs(1 - value)
    return value if name in BETTER_WHEN_LARGER else -value


def test_the_converged_star_ranks_above_the_unconverged_in_every_metric(star) -> None:
    converged, poor = measured(star, "converged"), measured(star, "poor")
    assert set(converged.metrics) == set(SOURCES)
    for name, good in converged.metrics.items():
        bad = poor.metrics[name]
        pairs = [(good.value, bad.value), (good.amplitude, bad.amplitude), (good.phase, bad.phase)]
        compared = [pair for pair in pairs if pair != (None, None)]
        assert compared or name.startswith("frc")
        for better, worse in compared if name != "phase_defined_share" else ():
            assert goodness(name, better) > goodness(name, worse), name


def test_the_resolution_of_the_star_is_that_measured_elsewhere(star) -> None:
    assert measured(star, "converged").metrics["frc50"].value == pytest.approx(0.78, abs=0.02)


def test_the_split_half_resolution_of_the_star_is_that_measured_elsewhere(star) -> None:
    halves = mutual(star["even"], star["odd"], np.ones(star["odd"].shape, bool)).standard
    assert halves.metrics["frc50"].value == pytest.approx(0.37, abs=0.02)
    assert halves.metrics["frc_half_bit"].value == pytest.approx(0.446, abs=0.02)
    # There by the modulus of the sum, 0.496; with its sign the curve is lower where it is noise.
    assert halves.metrics["frc1over7"].value == pytest.approx(0.472, abs=0.01)


def test_an_agreement_up_to_nyquist_is_a_bound_and_flagged(star) -> None:
    covered = np.ones(star["even"].shape, bool)
    same = standard_metrics(star["even"], star["even"], covered)
    assert same.metrics["frc50"].value == 1
    assert "frc50.value" in bounds(same.metrics)
    assert any("no crossing" in note for note in same.notes)
    assert same.metrics["psnr"].amplitude == math.inf
    assert same.metrics["complex_error"].value == pytest.approx(0, abs=1e-6)
    assert same.metrics["ms_ssim"].phase == pytest.approx(1)


def test_holes_are_not_measured(star) -> None:
    covered = np.ones(star["even"].shape, bool)
    covered[100:160, 100:160] = False
    spoilt = np.where(covered, star["converged"], 1e3)
    whole = standard_metrics(star["converged"], star["stand-in"], np.ones_like(covered))
    holed = standard_metrics(spoilt, star["stand-in"], covered)
    for name in ("mae", "psnr", "ssim", "ms_ssim", "complex_error"):
        first, second = whole.metrics[name], holed.metrics[name]
        for quantity in ("amplitude", "phase", "value"):
            one, other = getattr(first, quantity), getattr(second, quantity)
            assert one == other or other == pytest.approx(one, rel=0.15), name
    assert any(
        "not all that is compared covers" in note and "5.4% of" in note for note in holed.notes
    )


def test_similarity_is_told_by_wholly_covered_windows_alone(star) -> None:
    truth = star["stand-in"]
    covered = np.zeros(truth.shape, bool)
    covered[40:60, 50:70] = True  # one crop of one group
    noise = np.random.default_rng(3).normal(size=truth.shape)
    good = standard_metrics(np.where(covered, truth, 9), truth, covered)
    assert good.metrics["ssim"].amplitude == pytest.approx(1)
    assert good.metrics["ms_ssim"].phase == pytest.approx(1)
    assert "MS-SSIM has 1 of 5 scales: no larger piece is covered" in good.notes
    poor = standard_metrics(np.where(covered, 1 + noise, truth), truth, covered)
    assert poor.metrics["ssim"].amplitude < 0.1
    covered[50] = False
    split = standard_metrics(truth, truth, covered)
    assert math.isnan(split.metrics["ssim"].amplitude)
    assert math.isnan(split.metrics["ms_ssim"].phase)


def test_an_amplitude_that_is_right_has_no_error_whatever_the_phase(star) -> None:
    truth = star["stand-in"]
    noise = np.random.default_rng(6).normal(size=truth.shape)
    for recon in (truth.conj(), truth * np.exp(1j * noise), 3 * truth):
        aligned = align(recon, truth, shift=False)
        found = standard_metrics(aligned.recon, aligned.truth, aligned.covered).metrics
        assert found["mae"].amplitude == pytest.approx(0, abs=1e-6)
        assert found["ssim"].amplitude == pytest.approx(1, abs=1e-6)


def waves(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:height, :width]
    truth = np.sin(x / 7) * np.cos(y / 11) + (x > 90) * 0.5
    return truth + 0.1 * np.sin(x * y / 50) + 0.05, truth


@pytest.mark.parametrize("turn_rad", [0.0, 1.0, 3.0])
def test_the_similarity_of_phases_depends_on_no_origin(turn_rad: float) -> None:
    recon, truth = waves(200, 191)
    covered = np.ones(truth.shape, bool)
    measured = standard_metrics(
        np.exp(1j * (recon + turn_rad)), np.exp(1j * (truth + turn_rad)), covered
    )
    low = truth.min()
    for name, similarity in (("ssim", measures.ssim), ("ms_ssim", measures.ms_ssim)):
        images = (recon - low, truth - low)
        expected = similarity(*images, covered, np.ptp(truth), luminance=False)
        assert measured.metrics[name].phase == pytest.approx(expected, abs=1e-9)


def test_a_wrap_that_only_one_phase_takes_is_no_difference() -> None:
    _, truth = waves(200, 191)
    truth *= 0.99 * np.pi / np.abs(truth).max()
    covered = np.ones(truth.shape, bool)
    wrapped = standard_metrics(np.exp(1j * (truth + 0.1)), np.exp(1j * truth), covered)
    assert wrapped.metrics["ssim"].phase > 0.98


# TensorFlow 2.21's ssim and ssim_multiscale of the same images, in single precision.
@pytest.mark.parametrize(
    ("shape", "ssim", "ms_ssim"),
    [
        ((200, 191), 0.7798537015914917, 0.9887121319770813),
        ((208, 192), 0.7810332179069519, 0.9887943863868713),
    ],
)
def test_ssim_and_ms_ssim_agree_with_tensorflow(shape, ssim: float, ms_ssim: float) -> None:
    recon, truth = waves(*shape)
    covered = np.ones(shape, bool)
    assert measures.ssim(recon, truth, covered, np.ptp(truth)) == pytest.approx(ssim, abs=1e-5)
    assert measures.ms_ssim(recon, truth, covered, np.ptp(truth)) == pytest.approx(
        ms_ssim, abs=1e-5
    )


def test_small_images_have_fewer_scales_and_the_smallest_none() -> None:
    sides = {161: 5, 160: 4, 21: 2, 11: 1, 10: 0}
    masks = {side: np.ones((side, 900), bool) for side in sides}
    assert {side: len(measures.wang_scales(mask)) for side, mask in masks.items()} == sides
    recon, truth = waves(160, 191)
    covered = np.ones(truth.shape, bool)
    # The same function of TensorFlow with the four weights normalised.
    assert measures.ms_ssim(recon, truth, covered, np.ptp(truth)) == pytest.approx(
        0.9327253699302673, abs=1e-5
    )
    assert math.isnan(measures.ms_ssim(recon[:9], truth[:9], covered[:9], 1.0))
    assert math.isnan(measures.ssim(recon[:9], truth[:9], covered[:9], 1.0))


def test_what_is_flat_but_for_rounding_has_no_range_to_measure_by() -> None:
    _, phase = waves(64, 64)
    covered = np.ones(phase.shape, bool)
    truth = np.exp(1j * phase).astype(np.complex64)
    measured = standard_metrics(truth * np.complex64(1 + 1e-7j), truth, covered)
    for name in ("psnr", "ssim", "ms_ssim"):
        assert math.isnan(measured.metrics[name].amplitude)
        assert measured.metrics[name].phase > 0.99


def test_psnr_is_by_the_range_of_the_truth() -> None:
    assert measures.psnr(0.01, 2.0) == pytest.approx(10 * math.log10(400))
    assert math.isnan(measures.psnr(0.01, 0.0))


def test_the_invariant_error_is_blind_to_one_factor() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 64, 64)) + 1j * generator.normal(size=(2, 64, 64))
    assert measures.invariant_error(first * (3 - 2j), first) == pytest.approx(0, abs=1e-12)
    assert measures.invariant_error(second, first) == pytest.approx(1, abs=0.01)
    blend = 0.8 * first + 0.6 * second
    assert measures.invariant_error(blend, first) == pytest.approx(0.36, abs=0.02)


def rings(correlation: list[float], n_pixels: int = 1000) -> frc.RingCorrelation:
    side = 2 * (len(correlation) - 1)
    return frc.RingCorrelation(np.array(correlation), np.full(len(correlation), n_pixels), side)


def test_a_crossing_is_interpolated_and_the_mean_is_passed_over() -> None:
    curve = rings([0.0, 1.0, 0.9, 0.3, 0.2])
    assert frc.crossing(curve, frc.fixed(0.5)).nyquist_fraction == pytest.approx((2 + 2 / 3) / 4)
    assert frc.crossing(curve, frc.fixed(0.1)).nyquist_fraction is None
    assert frc.crossing(rings([1.0, 0.2, 0.9]), frc.fixed(0.5)).nyquist_fraction == 0.5


@pytest.mark.parametrize("n", [8, 100, 10_000])
def test_bit_thresholds_are_those_of_van_heel_and_schatz(n: int) -> None:
    half = (0.2071 + 1.9102 / math.sqrt(n)) / (1.2071 + 0.9102 / math.sqrt(n))
    one = (0.5 + 2.4142 / math.sqrt(n)) / (1.5 + 1.4142 / math.sqrt(n))
    curve = rings([1.0, 1.0], n)
    assert frc.bits(0.5)(curve) == pytest.approx(half, abs=1e-4)
    assert frc.bits(1.0)(curve) == pytest.approx(one, abs=1e-4)


@pytest.mark.parametrize("side", [3, 4, 9, 30, 97, 254])
def test_the_taper_is_the_tukey_window(side: int) -> None:
    taper_px = min(frc.TAPER_PX, side // 4)
    profile = tukey(side, 2 * taper_px / side)
    np.testing.assert_allclose(
        cosine_window(side, taper_px), np.outer(profile, profile), atol=1e-14
    )


def test_unrelated_images_do_not_correlate_and_equal_ones_do() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=(2, 128, 128))
    unrelated = frc.tapered_correlation(first, second).correlation
    assert unrelated[10:].max() < 0.5
    assert frc.tapered_correlation(first, first).correlation[1:] == pytest.approx(1)
    frequencies = frc.tapered_correlation(first, second).frequencies
    assert (frequencies[0], frequencies[-1]) == (0, 1)


def test_an_amplitude_without_contrast_has_no_resolution() -> None:
    generator = np.random.default_rng(2)
    truth = np.exp(0.4j * natural(96, generator))
    found = standard_metrics(
        truth + noise(96, generator, 0.05), truth, np.ones(truth.shape, bool), tiled=True
    )
    for name in ("frc50", "frc1over7", "contrast_correlation"):
        assert np.isnan(found.metrics[name].amplitude or 0), name
        assert "no contrast" in found.undefined[f"{name}.amplitude"]
    assert found.metrics["frc50"].phase == 1, "at least"
    assert np.isnan(found.curves.amplitude.correlation).all()


def test_of_a_long_image_it_is_said_that_resolutions_are_of_its_middle() -> None:
    generator = np.random.default_rng(0)
    truth = 1 + 0.1 * generator.normal(size=(60, 180)) + 0j
    recon = truth.copy()
    recon[:, :60] += 0.3 * generator.normal(size=(60, 60))
    long, square = (
        standard_metrics(recon[:, :width], truth[:, :width], np.ones((60, width), bool))
        for width in (180, 80)
    )
    assert "FRC is of the 60 x 60 px in the middle alone, 33.3% of the image" in long.notes
    assert not [note for note in square.notes if "in the middle alone" in note]
