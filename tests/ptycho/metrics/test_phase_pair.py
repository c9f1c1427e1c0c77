"""Where is a phase a figure at all, and on what of the truth may it not depend?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from ptyrun.config import EvaluationOptions
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics import frc
from ptyrun.ptycho.metrics.evaluation import evaluate, evaluate_upstream
from ptyrun.ptycho.metrics.phase_pair import PhasePair, turn_to_middle
from ptyrun.ptycho.metrics.phases import without_plane
from ptyrun.ptycho.metrics.standard_metrics import correlations, resolutions, standard_metrics
from tests.ptycho.metrics.objects import N_OBJECTS, natural, noise, weak

SIDE = 48
EVERYWHERE = np.ones((SIDE, SIDE), bool)
OPTIONS = EvaluationOptions()
UPSTREAM_ROWS = ("mae", "mse", "psnr", "ssim", "ms_ssim", "frc50", "frc1over7")


def disc(side: int, radius_px: float) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side // 2
    return y**2 + x**2 < radius_px**2


def test_a_perfect_object_in_a_support_has_no_error_of_phase() -> None:
    for seed in range(N_OBJECTS):
        generator = np.random.default_rng(seed)
        amplitude, phase = weak(SIDE, generator)
        support = disc(SIDE, generator.uniform(9, 20))
        truth = np.where(support, amplitude * np.exp(1j * phase), 0)
        recon = truth + noise(SIDE, generator, 1e-4)
        found = standard_metrics(recon, truth, EVERYWHERE).metrics
        assert found["mae"].phase < 1e-3
        assert found["weighted_mae"].phase < 1e-3
        assert found["ssim"].phase > 0.99
        assert found["contrast_correlation"].phase > 0.999
        assert found["phase_defined_share"].phase == pytest.approx(support.mean(), abs=0.01)


@settings(max_examples=30, deadline=None)
@given(
    share=st.floats(0.01, 0.95),
    value=st.sampled_from([0.0, -0.0, 1e-12, 1e-3j, -1e-3]),
    seed=st.integers(0, 10_000),
)
def test_no_error_falls_with_the_share_of_dead_pixels(share: float, value, seed: int) -> None:
    generator = np.random.default_rng(seed)
    amplitude, phase = weak(SIDE, generator)
    truth = amplitude * np.exp(1j * phase)
    recon = truth + noise(SIDE, generator, 0.1)
    dead = generator.random(truth.shape) < share
    whole = standard_metrics(recon, truth, EVERYWHERE).metrics
    found = standard_metrics(np.where(dead, value, recon), truth, EVERYWHERE).metrics
    for name in ("mae", "weighted_mae"):
        live = whole[name].phase
        expected = (1 - dead.mean()) * live + dead.mean() * np.pi / 2
        assert found[name].phase == pytest.approx(expected, abs=0.02)
        assert found[name].phase >= live
    assert found["phase_defined_share"].phase == pytest.approx(1 - dead.mean(), abs=0.01)
    if not dead.any():
        return
    for name in ("psnr", "weighted_psnr"):
        assert math.isnan(found[name].phase) or found[name].phase <= whole[name].phase


def test_what_no_pixel_tells_is_empty_and_says_why() -> None:
    truth = np.exp(0.3j * natural(SIDE, np.random.default_rng(0)))
    found = standard_metrics(np.zeros_like(truth), truth, EVERYWHERE)
    assert found.metrics["mae"].phase == pytest.approx(np.pi / 2)
    for name in ("psnr", "ssim", "ms_ssim", "contrast_correlation", "frc50"):
        assert math.isnan(found.metrics[name].phase)
        assert "fewer than 16 pixels" in found.undefined[f"{name}.phase"]
    assert any("fewer than 16 pixels" in note for note in found.notes)


def test_no_figure_depends_on_the_global_phase_of_the_truth() -> None:
    everywhere = np.ones((SIDE, SIDE))
    for seed in range(N_OBJECTS // 8):
        generator = np.random.default_rng(seed)
        amplitude, phase = weak(SIDE, generator)
        truth = amplitude * np.exp(1j * generator.uniform(1, 2.5) * phase)
        recon = truth + noise(SIDE, generator, 0.05)
        turned = truth * np.exp(1j * generator.uniform(-np.pi, np.pi))
        first, second = (
            evaluate(recon, each, everywhere, OPTIONS, registered=False) for each in (truth, turned)
        )
        for name in UPSTREAM_ROWS:
            one, other = first.metrics[name].phase, second.metrics[name].phase
            if name.startswith("frc") and 0.0 in (one, other):
                continue  # upstream's first ring is a mean of zero: its correlation is rounding
            assert other == pytest.approx(one, rel=1e-4, abs=1e-6), (seed, name)
        for name, metric in first.standard.items():
            if metric.phase is None:
                assert second.standard[name].phase is None
            else:
                same = pytest.approx(metric.phase, rel=1e-6, nan_ok=True)
                assert second.standard[name].phase == same


@pytest.mark.parametrize("turn_rad", [1.0, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("own_rad", [0.0, 2.5])
def test_a_zero_has_one_phase_whatever_signs_a_factor_leaves_it(
    turn_rad: float, own_rad: float
) -> None:
    side = 96
    generator = np.random.default_rng(4)
    amplitude, phase = weak(side, generator)
    y, x = np.mgrid[:side, :side] - side / 2
    truth = np.where(y**2 + x**2 < 30**2, amplitude * np.exp(1j * phase), 0)
    recon = np.where(truth == 0, 0, truth + noise(side, generator, 0.02))
    plain, turned = (
        evaluate(
            (recon * np.exp(1j * own)).astype(np.complex64),
            (truth * np.exp(1j * wanted)).astype(np.complex64),
            np.ones(truth.shape),
            EvaluationOptions(),
        ).metrics
        for own, wanted in ((0.0, 0.3), (own_rad, turn_rad))
    )
    for name in ("mae", "mse", "ssim"):
        assert turned[name].phase == pytest.approx(plain[name].phase, rel=0.02), name


def test_upstreams_own_alignment_is_not_turned() -> None:
    generator = np.random.default_rng(3)
    truth = np.exp(1j * 0.3 * natural(SIDE, generator))
    recon = truth + noise(SIDE, generator, 0.05)
    region = Region(0, 0, SIDE, SIDE)
    plain, turned = (
        evaluate_upstream(recon * turn, truth * turn, region, OPTIONS, registered=False)
        for turn in (1, -1)
    )
    assert turned.metrics["mae"].phase > 2 * plain.metrics["mae"].phase


def test_the_similarity_of_phases_does_not_move_with_an_offset() -> None:
    for seed in range(N_OBJECTS // 4):
        generator = np.random.default_rng(seed)
        _, phase = weak(SIDE, generator)
        truth = np.exp(1j * np.maximum(phase, 0))  # on a flat background
        recon = truth + noise(SIDE, generator, 0.05)
        found = [
            standard_metrics(recon * np.exp(1j * offset), truth, EVERYWHERE).metrics
            for offset in (-0.05, 0.0, 0.05)
        ]
        for name in ("ssim", "ms_ssim"):
            values = [float(metrics[name].phase) for metrics in found]
            assert max(values) - min(values) < 0.01, (seed, name)


def test_the_middle_of_a_range_is_found_wherever_it_lies() -> None:
    """Of phases that lie thick at one end."""
    part = np.r_[np.zeros(900), np.linspace(0, 3.5, 100)].reshape(25, 40)
    for origin in np.linspace(-3, 3, 13):
        truth = np.exp(1j * (part + origin))
        turned = np.angle(truth * turn_to_middle(truth, np.ones(part.shape, bool)))
        assert np.ptp(turned) == pytest.approx(3.5)
        assert np.abs(turned).max() < np.pi - 0.5


def test_a_phase_of_many_turns_is_unwrapped() -> None:
    unwrapped = 0
    for seed in range(N_OBJECTS // 4):
        generator = np.random.default_rng(seed)
        phase = 3 * natural(SIDE, generator, slope=2)
        blurred = gaussian_filter(phase, 1) + 0.05 * generator.standard_normal(phase.shape)
        recon, truth = (0.8 * np.exp(1j * each) for each in (blurred, phase))
        found = standard_metrics(recon, truth, EVERYWHERE)
        if "frc50.phase" in found.undefined:
            continue
        unwrapped += 1
        pair = PhasePair.of(recon, truth, EVERYWHERE)
        assert np.ptp(pair.truth) == pytest.approx(np.ptp(phase))
        assert np.ptp((pair.recon - pair.truth) - (blurred - phase)) < 1e-9
        own, wanted = (without_plane(each) for each in (blurred, phase))
        known = frc.tapered_correlation(own, wanted).correlation
        assert found.curves.phase.correlation == pytest.approx(known, abs=1e-9)
        expected = 10 * np.log10(np.ptp(phase) ** 2 / np.mean((blurred - phase) ** 2))
        assert found.metrics["psnr"].phase == pytest.approx(expected, abs=0.1)
    assert unwrapped > N_OBJECTS // 8


def test_edges_of_wraps_are_no_resolution() -> None:
    """14 rad of phase, of which the reconstruction has what lies below 0.1 Nyquist."""
    generator, side = np.random.default_rng(5), 200
    phase = 3 * natural(side, generator, slope=2)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]) * 2
    low = np.fft.ifft2(np.fft.fft2(phase) * (frequency < 0.1)).real
    low += 0.05 * generator.standard_normal(phase.shape)
    curves = correlations(np.exp(1j * low), np.exp(1j * phase), np.ones(phase.shape, bool))
    for name, metric in resolutions(curves).items():
        assert metric.phase == pytest.approx(0.1, abs=0.02), name


def test_a_phase_with_residues_is_empty_with_the_reason_and_the_field_stands() -> None:
    generator = np.random.default_rng(2)
    truth = np.exp(1j * 4 * natural(SIDE, generator))
    found = standard_metrics(truth, truth, EVERYWHERE)
    for name in ("psnr", "ssim", "frc50", "frc1over7"):
        assert math.isnan(found.metrics[name].phase)
        assert "more than one turn" in found.undefined[f"{name}.phase"]
    assert found.metrics["frc50"].value == 1
    assert np.isnan(found.curves.phase.correlation).all()
    assert found.metrics["mae"].phase == pytest.approx(0, abs=1e-6)


def test_a_residue_that_hides_in_a_hole_is_found() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    vortex = np.exp(1j * np.arctan2(y, x))
    covered = ~disc(SIDE, 5)
    assert PhasePair.of(vortex, vortex, covered).why_none
    assert not PhasePair.of(vortex, vortex, covered & (x > 0)).why_none


def test_a_poor_phase_is_not_continued_by_the_truth() -> None:
    """What is noise alone has nothing in common with a truth of any contrast."""
    for seed in range(N_OBJECTS // 8):
        generator = np.random.default_rng(seed)
        truth = np.exp(1j * weak(SIDE, generator)[1])
        recon = np.exp(1j * generator.uniform(-np.pi, np.pi, truth.shape))
        found = standard_metrics(recon, truth, EVERYWHERE)
        assert abs(found.metrics["contrast_correlation"].phase) < 0.15
        assert found.metrics["frc50"].phase < 0.25
