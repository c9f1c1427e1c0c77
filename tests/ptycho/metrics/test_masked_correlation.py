"""Do holes raise a resolution?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ptyrun.ptycho.metrics import frc
from ptyrun.ptycho.metrics.crossing_spread import resampled_crossings
from ptyrun.ptycho.metrics.standard_metrics import (
    THRESHOLDS,
    TRUTH_THRESHOLDS,
    correlations,
    resolutions,
    standard_metrics,
)
from tests.ptycho.metrics.objects import natural, noise

SIDE = 160
CUT = 0.25  # of Nyquist
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def ragged(generator: np.random.Generator) -> Mask:
    """Half of the region, in squares of 20 px."""
    covered = np.zeros((SIDE, SIDE), bool)
    while covered.mean() < 0.5:
        top, left = generator.integers(0, SIDE - 20, 2)
        covered[top : top + 20, left : left + 20] = True
    return covered


def discs(radius_px: float) -> Callable[[np.random.Generator], Mask]:
    def mask(generator: np.random.Generator) -> Mask:
        covered = np.ones((SIDE, SIDE), bool)
        y, x = np.mgrid[:SIDE, :SIDE]
        while covered.mean() > 0.5:
            row, column = generator.integers(0, SIDE, 2)
            covered[(y - row) ** 2 + (x - column) ** 2 < radius_px**2] = False
        return covered

    return mask


MASKS = {"ragged": ragged, "d5": discs(5), "d10": discs(10), "d15": discs(15), "d25": discs(25)}


def blurred(generator: np.random.Generator) -> tuple[Any, Any, Any]:
    """A truth, and two noisy images of what of it lies below the cut."""
    amplitude, phase = (np.clip(natural(SIDE, generator), -3, 3) for _ in range(2))
    truth = (0.75 + 0.15 * amplitude) * np.exp(0.5j * phase)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None]) * 2
    low = np.fft.ifft2(np.fft.fft2(truth) * (frequency < CUT))
    return truth, low + noise(SIDE, generator, 0.03), low + noise(SIDE, generator, 0.03)


@pytest.mark.parametrize("mask", [ragged, discs(5), discs(15)], ids=["ragged", "small", "large"])
def test_holes_do_not_move_the_crossing_of_a_known_transfer_function(mask) -> None:
    everywhere = np.ones((SIDE, SIDE), bool)
    for seed in range(4):
        generator = np.random.default_rng(seed)
        truth, recon, _ = blurred(generator)
        covered = mask(generator)
        spoilt = np.where(covered, recon, 0)
        whole, found = (
            resolutions(correlations(image, truth, known))
            for image, known in ((recon, everywhere), (spoilt, covered))
        )
        for name in TRUTH_THRESHOLDS:
            assert found[name].value == pytest.approx(whole[name].value, abs=0.015), (seed, name)
            if name != "frc_one_bit":
                assert found[name].value == pytest.approx(CUT, abs=0.01)


@pytest.mark.parametrize("mask", MASKS, ids=list(MASKS))
def test_holes_between_noisy_images_move_no_crossing_by_more_than_0_03(mask: str) -> None:
    everywhere = np.ones((SIDE, SIDE), bool)
    for seed in range(4):
        generator = np.random.default_rng(seed)
        _, first, second = blurred(generator)
        covered = MASKS[mask](generator)
        whole, found = (
            resolutions(correlations(first, second, known), THRESHOLDS)
            for known in (everywhere, covered)
        )
        for name in THRESHOLDS:
            value, expected = found[name].value, whole[name].value
            assert math.isnan(value) or value == pytest.approx(expected, abs=0.03), (seed, name)


def test_a_difference_between_resolutions_is_taken_off_and_a_large_one_leaves_nothing() -> None:
    fine = np.array([1, 0.99, 0.9, 0.75, 0.7, *np.linspace(0.6, 0.4, 96)])
    rings = frc.RingCorrelation(fine, np.full(101, 1000), 200, fine + 0.002)
    plain = frc.crossing(replace(rings, coarser=None), frc.fixed(0.5)).nyquist_fraction
    assert frc.crossing(rings, frc.fixed(0.5)).nyquist_fraction < plain
    for other in (fine + 0.05, fine - 0.05):
        far = replace(rings, coarser=other)
        assert math.isnan(frc.crossing(far, frc.fixed(0.5)).nyquist_fraction)


def test_a_crossing_with_holes_lies_within_its_interval() -> None:
    generator = np.random.default_rng(3)
    truth, recon, _ = blurred(generator)
    curves = correlations(recon, truth, ragged(generator))
    found = resampled_crossings(curves.field, TRUTH_THRESHOLDS)
    value = resolutions(curves)["frc50"].value
    low, high = np.quantile(found["frc50"], (0.025, 0.975))
    assert low <= value <= high and low - 0.01 <= CUT <= high + 0.01


def test_holes_that_are_too_fine_leave_no_figure_and_say_why() -> None:
    generator = np.random.default_rng(1)
    truth, recon, _ = blurred(generator)
    covered = generator.random(truth.shape) < 0.5
    found = standard_metrics(np.where(covered, recon, 0), truth, covered)
    for name in TRUTH_THRESHOLDS:
        assert math.isnan(found.metrics[name].value)
        assert "holes" in found.undefined[f"{name}.value"]
        assert "holes" in found.undefined[f"{name}.phase"]


def test_a_crossing_that_a_coarser_curve_forbids_is_none() -> None:
    rings = frc.RingCorrelation(
        np.array([1, 1, 1, 1, 0.9]), np.full(5, 100), 8, np.array([1, 1, 0.2, 0.1, 0.1])
    )
    assert math.isnan(frc.crossing(rings, frc.fixed(0.5)).nyquist_fraction)
    assert frc.crossing(rings, frc.fixed(0.05)).nyquist_fraction is None


def test_what_does_not_depend_on_holes_is_the_same_with_one() -> None:
    """Equal images agree up to Nyquist, inverted ones nowhere, and noise with nothing."""
    generator = np.random.default_rng(0)
    image, other = generator.normal(size=(2, SIDE, SIDE))
    covered = discs(12)(generator)
    for second, least, most in ((image, 0.999, 1.001), (-image, -1.001, -0.999)):
        curve = frc.tapered_correlation(image, second, covered).correlation[1:]
        assert least < curve.min() <= curve.max() < most
    assert np.abs(frc.tapered_correlation(image, other, covered).correlation[16:]).max() < 0.4
    few = np.zeros_like(covered)
    few[3:9, 3:9] = True
    assert np.isnan(frc.tapered_correlation(image, other, few).correlation).all()


@pytest.mark.parametrize("mask", [ragged, discs(10)], ids=["ragged", "discs"])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_of_a_nearly_white_object_holes_move_no_crossing_or_leave_none(mask, slope: float) -> None:
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None]) * 2
    everywhere = np.ones((SIDE, SIDE), bool)
    for seed in range(6):
        generator = np.random.default_rng(seed)
        parts = [natural(SIDE, generator, slope) for _ in range(2)]
        truth = 1 + 0.15 * (parts[0] + 1j * parts[1])
        recon = np.fft.ifft2(np.fft.fft2(truth) * np.exp(-((frequency / 0.3) ** 2)))
        recon += noise(SIDE, generator, (0.004, 0.04)[seed % 2])
        whole, found = (
            resolutions(correlations(recon, truth, known))
            for known in (everywhere, mask(generator))
        )
        for name in ("frc50", "frc_half_bit"):
            crossing, wanted = found[name].value, whole[name].value
            assert crossing is not None and wanted is not None
            assert math.isnan(crossing) or abs(crossing - wanted) < 0.03, (seed, name)
