from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ptyrun.config import PhaseAlign
from ptyrun.errors import GeometryError
from ptyrun.ptycho.metrics.alignment import align
from ptyrun.ptycho.metrics.factors import coherence, global_factor
from ptyrun.ptycho.metrics.measures import phase_difference
from ptyrun.ptycho.metrics.phases import without_mean, without_plane
from ptyrun.ptycho.metrics.registration import NO_SHIFT, Shift, apply_shift, cropped, register
from ptyrun.ptycho.readers.npz import NpzFile


@pytest.fixture(scope="module")
def truth(golden_scan_path) -> NDArray[np.complex64]:
    return NpzFile(golden_scan_path).array("objectGuess")[40:200, 30:220]


def cycle(image: NDArray[np.complex64], cycles: float = 1) -> NDArray[np.complex128]:
    return np.exp(2j * np.pi * cycles * np.arange(image.shape[1]) / image.shape[1])[None, :]


def everything(image: NDArray[np.complex64]) -> NDArray[np.complex128]:
    return 1.1 * np.exp(0.5j) * apply_shift(image, Shift(3.0, -2.0)) * cycle(image)


NUISANCES = {
    "nothing": (lambda image: image, NO_SHIFT, 1e-6),
    "global phase": (lambda image: image * np.exp(0.5j), NO_SHIFT, 1e-6),
    "one ramp cycle": (lambda image: image * cycle(image), NO_SHIFT, 1e-6),
    "part of a pixel": (lambda image: apply_shift(image, Shift(0.3, -0.4)), Shift(-0.3, 0.4), 2e-3),
    "whole pixels": (lambda image: apply_shift(image, Shift(3, -2)), Shift(-3, 2), 1e-6),
    "amplitude": (lambda image: 1.1 * image, NO_SHIFT, 1e-6),
    "all together": (everything, Shift(-3, 2), 1e-5),
}


@pytest.mark.parametrize("nuisance", NUISANCES)
def test_an_object_differs_from_itself_by_no_nuisance(nuisance: str, truth) -> None:
    change, shift, tolerance = NUISANCES[nuisance]
    aligned = align(change(truth), truth)
    assert aligned.shift.dy_px == pytest.approx(shift.dy_px, abs=0.011)
    assert aligned.shift.dx_px == pytest.approx(shift.dx_px, abs=0.011)
    difference = phase_difference(aligned.recon, aligned.truth)
    assert np.abs(difference).mean() < tolerance
    assert np.abs(np.abs(aligned.recon) - np.abs(aligned.truth)).mean() < tolerance


def test_a_shift_that_brings_in_new_pixels_is_undone(golden_scan_path) -> None:
    whole = NpzFile(golden_scan_path).array("objectGuess")
    first, second = whole[40:200, 30:220], whole[43:203, 28:218]
    aligned = align(second, first)
    assert (aligned.shift.dy_px, aligned.shift.dx_px) == pytest.approx((3, -2), abs=0.01)
    assert np.abs(phase_difference(aligned.recon, aligned.truth)).mean() < 1e-6


def test_without_the_crop_identical_images_would_keep_an_error(truth) -> None:
    moved = apply_shift(np.pad(truth, 8)[8:-8, 8:-8], Shift(3, -2))
    uncropped = np.angle(moved * truth.conj())
    assert np.abs(uncropped).mean() > 0.1


def test_the_mean_method_leaves_a_ramp_and_the_plane_method_does_not(truth) -> None:
    tilted = truth * cycle(truth, 0.25)
    kept = align(tilted, truth, shift=False, phase=PhaseAlign.MEAN)
    removed = align(tilted, truth, shift=False, phase=PhaseAlign.PLANE)
    assert np.abs(phase_difference(kept.recon, kept.truth)).mean() > 0.1
    assert np.abs(phase_difference(removed.recon, removed.truth)).mean() < 1e-6


def test_holes_neither_move_nor_count(truth) -> None:
    covered = np.ones(truth.shape, bool)
    covered[50:70, 20:60] = False
    holed = np.where(covered, apply_shift(truth, Shift(2, 1)) * 1j, 0)
    aligned = align(holed, truth, covered)
    assert (aligned.shift.dy_px, aligned.shift.dx_px) == (-2, -1)
    known = aligned.covered
    assert 0.9 < known.mean() < 1
    error = np.abs(phase_difference(aligned.recon, aligned.truth))[known]
    assert np.median(error) < 1e-3


def test_between_unlike_images_no_far_shift_is_believed(truth) -> None:
    noise = np.random.default_rng(0).normal(size=(2, *truth.shape))
    aligned = align(noise[0] + 1j * noise[1], truth)
    assert max(abs(aligned.shift.dy_px), abs(aligned.shift.dx_px)) <= 8
    assert coherence(aligned.recon, aligned.truth) < 0.1


@pytest.mark.parametrize(("rows", "seed"), [(30, 3), (30, 7), (45, 8)])
def test_a_far_shift_is_not_believed_of_a_smooth_strip_that_fits_somewhere(
    rows: int, seed: int, truth
) -> None:
    generator = np.random.default_rng(seed)
    smooth = gaussian_filter(generator.normal(size=(2, *truth.shape)), (0, 4, 4))
    covered = np.zeros(truth.shape, bool)
    covered[:rows] = True
    nearly_constant = 1 + 0.01 * (smooth[0] + 1j * smooth[1]) / smooth.std()
    aligned = align(np.where(covered, nearly_constant, 0), truth, covered)
    assert max(abs(aligned.shift.dy_px), abs(aligned.shift.dx_px)) <= 8


@pytest.mark.parametrize("seed", range(4))
def test_a_shift_that_was_found_is_not_called_lost_by_a_later_round(seed: int, truth) -> None:
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(2, *truth.shape))
    covered = np.zeros(truth.shape, bool)
    for top, left in generator.integers(0, (140, 170), (25, 2)):
        covered[top : top + 20, left : left + 20] = True
    moved = np.roll(truth, (12, 10), axis=(0, 1)) + 0.6 * (noise[0] + 1j * noise[1])
    aligned = align(np.where(covered, moved, 0), truth, covered)
    assert (aligned.shift.dy_px, aligned.shift.dx_px) == pytest.approx((-12, -10), abs=0.3)
    assert aligned.registered


def test_a_registration_by_fields_finds_what_magnitudes_hide(truth) -> None:
    phase_object = np.exp(1j * np.angle(truth))
    grain = 1 + 0.05 * np.random.default_rng(1).normal(size=truth.shape)
    aligned = align(apply_shift(phase_object, Shift(2, -3)) * grain, phase_object)
    assert (aligned.shift.dy_px, aligned.shift.dx_px) == pytest.approx((-2, 3), abs=0.05)


def test_images_of_different_size_are_refused(truth) -> None:
    with pytest.raises(GeometryError, match="cannot be aligned"):
        align(truth[1:], truth)
    with pytest.raises(GeometryError, match="different size"):
        register(truth[1:], truth)


def test_registration_agrees_with_upstream(unit: NpzFile, golden) -> None:
    recon, truth = unit.array("al_recon"), unit.array("al_gt")
    shift = register(np.abs(recon), np.abs(truth))
    assert (shift.dy_px, shift.dx_px) == pytest.approx((0.02, -0.02), abs=1e-8)
    moved = cropped(apply_shift(recon, shift), 2)
    assert np.abs(moved - unit.array("sh_recon")).max() < 1e-12
    assert np.array_equal(cropped(truth, 2), unit.array("sh_gt"))


def test_a_constant_image_has_no_shift() -> None:
    assert register(np.ones((20, 20)), np.ones((20, 20))) == NO_SHIFT


def test_planes_and_means_are_taken_off() -> None:
    y, x = np.mgrid[:9, :7]
    plane = 0.3 * y - 0.1 * x + 2
    assert np.abs(without_plane(plane)).max() < 1e-12
    assert abs(without_mean(plane).mean()) < 1e-12


def test_the_global_factor_is_the_best_one(truth) -> None:
    assert global_factor(truth / (2 - 1j), truth) == pytest.approx(2 - 1j, rel=1e-5)
    assert global_factor(0 * truth, truth) == 1
