"""Are arms compared with each other on the pixels that all of them cover?"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ptyrun.config import EvaluationOptions, PhaseAlign
from ptyrun.ptycho.metrics.common_ground import CommonGround
from ptyrun.ptycho.metrics.evaluation import Evaluation, evaluate
from ptyrun.ptycho.metrics.standard_metrics import Standard
from tests.ptycho.metrics.objects import N_OBJECTS, Field, natural, noise, weak

Mask = np.ndarray[tuple[int, int], np.dtype[np.bool_]]


def measured(recon: Field, truth: Field, covered: Mask) -> Evaluation:
    held = np.where(covered, recon, 0).astype(np.complex64)
    return evaluate(held, truth.astype(np.complex64), covered.astype(float), EvaluationOptions())


def compared(arms: Mapping[str, Evaluation]) -> dict[str, Standard]:
    ground = CommonGround.of(list(arms.values()))
    assert ground is not None
    return {name: ground.measured(*ground.cut(arm, PhaseAlign.PLANE)) for name, arm in arms.items()}


def blurred(field: Field, width_px: float) -> Field:
    return gaussian_filter(field.real, width_px) + 1j * gaussian_filter(field.imag, width_px)


def ragged(side: int, share: float, patch_px: int, generator: np.random.Generator) -> Mask:
    covered = np.zeros((side, side), bool)
    while covered.mean() < share:
        y, x = generator.integers(0, side - patch_px, 2)
        covered[y : y + patch_px, x : x + patch_px] = True
    return covered


def test_an_arm_that_covers_the_smooth_half_alone_does_not_win() -> None:
    generator = np.random.default_rng(11)
    side = 220
    x = np.arange(side)[None] + np.zeros((side, 1))
    rough = 1 / (1 + np.exp(-(x - 110) / 6))
    amplitude = 0.75 + 0.15 * np.clip(natural(side, generator), -3, 3) * rough
    phase = 0.5 * np.clip(natural(side, generator), -3, 3) * (0.1 + 0.9 * rough)
    truth = amplitude * np.exp(1j * phase)
    sharp, blurry = (blurred(truth, w) + noise(side, generator, 0.01) for w in (1.0, 2.0))
    left = x < 110
    arms = {"sharp": measured(sharp, truth, x > -1), "blurry": measured(blurry, truth, left)}
    assert arms["blurry"].standard["complex_error"].value is not None
    found = compared(arms)
    own = {name: arm.standard["complex_error"].value or 1 for name, arm in arms.items()}
    assert own["blurry"] < own["sharp"], "the case shows nothing"
    for name, part in (
        ("complex_error", "value"),
        ("mae", "phase"),
        ("mae", "amplitude"),
    ):
        better, worse = (found[arm].metrics[name][part] for arm in ("sharp", "blurry"))
        assert better is not None and worse is not None and better < worse, name
    # As measured of the sharp arm where it is cut to that half.
    alone = measured(sharp, truth, left).standard["complex_error"].value
    assert found["sharp"].metrics["complex_error"].value == pytest.approx(alone, rel=0.02)


def test_ms_ssim_has_one_number_of_scales_for_all_arms() -> None:
    generator = np.random.default_rng(11)
    side = 220
    amplitude = 0.75 + 0.15 * np.clip(natural(side, generator), -3, 3)
    truth = amplitude * np.exp(0.5j * np.clip(natural(side, generator), -3, 3))
    covered = ragged(side, 0.6, 20, generator)
    sharp, blurry = (blurred(truth, w) + noise(side, generator, 0.05) for w in (1.0, 1.3))
    arms = {
        "sharp": measured(sharp, truth, covered),
        "blurry": measured(blurry, truth, np.ones_like(covered)),
    }
    own = {name: arm.standard["ms_ssim"].phase or 0 for name, arm in arms.items()}
    assert own["blurry"] > own["sharp"], "the case shows nothing"
    found = compared(arms)
    for part in ("amplitude", "phase"):
        better, worse = (found[arm].metrics["ms_ssim"][part] for arm in ("sharp", "blurry"))
        assert better is not None and worse is not None and better > worse


def test_arms_that_have_nothing_in_common_are_not_compared() -> None:
    generator = np.random.default_rng(3)
    amplitude, phase = weak(96, generator)
    truth = amplitude * np.exp(1j * phase)
    left = np.arange(96)[None] + np.zeros((96, 1)) < 48
    arms = [measured(truth, truth, each) for each in (left, ~left)]
    assert CommonGround.of(arms) is None
    assert CommonGround.of([]) is None


def test_one_arm_alone_is_compared_on_all_that_it_covers() -> None:
    generator = np.random.default_rng(4)
    amplitude, phase = weak(96, generator)
    truth = amplitude * np.exp(1j * phase)
    arm = measured(truth + noise(96, generator, 0.05), truth, ragged(96, 0.7, 24, generator))
    ground = CommonGround.of([arm])
    assert ground is not None and ground.is_all_of(arm)


@pytest.mark.parametrize("n_objects", [5, pytest.param(N_OBJECTS, marks=pytest.mark.slow)])
def test_the_nearer_of_two_arms_is_the_better_one_whatever_they_cover(n_objects: int) -> None:
    for seed in range(n_objects):
        generator = np.random.default_rng(seed)
        side = 80
        amplitude, phase = weak(side, generator)
        truth = amplitude * np.exp(1j * phase)
        error = noise(side, generator, 0.05)
        arms = {
            "near": measured(truth + error, truth, ragged(side, 0.85, 24, generator)),
            "far": measured(truth + 1.5 * error, truth, ragged(side, 0.85, 24, generator)),
        }
        found = compared(arms)
        for name, part, sign in (
            ("complex_error", "value", 1),
            ("mae", "amplitude", 1),
            ("mae", "phase", 1),
            ("contrast_correlation", "value", -1),
        ):
            near, far = (found[arm].metrics[name][part] for arm in ("near", "far"))
            assert near is not None and far is not None
            assert sign * near < sign * far, (seed, name, part)


def test_an_arm_without_phases_does_not_spoil_those_of_another() -> None:
    generator = np.random.default_rng(6)
    amplitude, phase = weak(96, generator)
    truth = amplitude * np.exp(1j * phase)
    dark = generator.random(truth.shape) < 0.6
    good, bad = (truth + noise(96, generator, 0.03) for _ in range(2))
    bad[dark] = 1e-9
    whole = np.ones(truth.shape, bool)
    arms = {"good": measured(good, truth, whole), "bad": measured(bad, truth, whole)}
    found = compared(arms)
    own, common = arms["good"].standard["mae"].phase, found["good"].metrics["mae"].phase
    assert common == pytest.approx(own, rel=0.02)
    # What the other one lost are its own errors.
    assert (found["bad"].metrics["mae"].phase or 0) > 0.5


@pytest.mark.parametrize("side_px", [1, 3, 8, 12])
def test_of_a_handful_of_pixels_nothing_is_measured(side_px: int) -> None:
    generator = np.random.default_rng(8)
    amplitude, phase = weak(96, generator)
    truth = amplitude * np.exp(1j * phase)
    covered = np.zeros(truth.shape, bool)
    covered[40 : 40 + side_px, 30 : 30 + side_px] = True
    found = measured(truth + noise(96, generator, 0.03), truth, covered)
    assert bool(found.standard) == (side_px >= 8)
    assert any(re.match(r"only \d+ px are covered", note) for note in found.notes)
