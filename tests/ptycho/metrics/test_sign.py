"""Is contrast that is inverted told from contrast that is right?"""

from __future__ import annotations

import numpy as np
import pytest

from ptyrun.config import EvaluationOptions
from ptyrun.ptycho.metrics import frc, measures
from ptyrun.ptycho.metrics.evaluation import evaluate
from ptyrun.ptycho.metrics.resampling import metrics_of
from ptyrun.ptycho.metrics.standard_metrics import standard_metrics
from tests.ptycho.metrics.objects import N_OBJECTS, natural, noise, weak

SIDE = 48
EVERYWHERE = np.ones((SIDE, SIDE), bool)
FRC = ("frc50", "frc1over7", "frc_half_bit", "frc_one_bit")


def test_inverted_contrast_is_no_agreement() -> None:
    for seed in range(N_OBJECTS):
        generator = np.random.default_rng(seed)
        amplitude, phase = weak(SIDE, generator)
        truth = amplitude * np.exp(1j * phase)
        noisy = noise(SIDE, generator, 0.003)
        right = standard_metrics(truth + noisy, truth, EVERYWHERE).metrics
        conjugated = standard_metrics(truth.conj() + noisy, truth, EVERYWHERE).metrics
        negated = standard_metrics((1.5 - amplitude) * np.exp(1j * phase), truth, EVERYWHERE)
        first_ring = 2 / SIDE
        for name in FRC:
            assert conjugated[name].phase == pytest.approx(first_ring), (seed, name)
            assert negated.metrics[name].amplitude == pytest.approx(first_ring), (seed, name)
            assert right[name].phase is None or right[name].phase > 0.5
        assert conjugated["contrast_correlation"].phase < -0.95
        assert conjugated["contrast_correlation"].amplitude > 0.95
        assert negated.metrics["contrast_correlation"].amplitude < -0.95
        for part in ("amplitude", "phase", "value"):
            assert right["contrast_correlation"][part] > 0.95


def test_a_conjugated_weak_phase_that_is_coherent_is_told_by_its_sign() -> None:
    """The field's fluctuations, after one factor for the whole: -0.84, by NumPy alone."""
    side = 200
    generator = np.random.default_rng(0)
    phase = 0.05 * natural(side, generator)
    truth = np.exp(1j * phase + 0.1 * 2 * phase)
    recon = truth.conj() + noise(side, generator, 0.003)
    found = evaluate(recon, truth, np.ones(truth.shape), EvaluationOptions()).standard
    assert found["coherence"].value > 0.8
    assert found["contrast_correlation"].value == pytest.approx(-0.84, abs=0.1)
    assert found["frc50"].value < 0.02


def test_a_correlation_of_one_image_with_its_negative_is_minus_one_at_every_ring() -> None:
    image = np.random.default_rng(1).normal(size=(33, 33))
    assert frc.tapered_correlation(image, -image).correlation == pytest.approx(-1)
    assert frc.ring_modulus(image, -image).correlation == pytest.approx(1)


def test_what_has_no_contrast_has_no_correlation() -> None:
    image = np.random.default_rng(1).normal(size=100)
    for flat in (np.zeros(100), np.ones(100), 1 + 1e-9 * image):
        assert np.isnan(measures.contrast_correlation(flat, image))
    assert np.isnan(measures.contrast_correlation(image[:0], image[:0]))
    assert measures.contrast_correlation(3 - 2 * image, image) == pytest.approx(-1)


@pytest.mark.parametrize("depth_rad", [1.0, 2.0, 3.0])
def test_the_plane_that_alignment_gives_is_no_contrast(depth_rad: float) -> None:
    """A wedge with some texture: its phase is mostly a plane, which every arm is given."""
    side = 160
    generator = np.random.default_rng(2)
    texture = 0.3 * natural(side, generator, 0.5)
    phase = depth_rad * np.arange(side) / side + texture
    truth = (0.8 + 0.05 * natural(side, generator)) * np.exp(1j * phase)
    faint = np.abs(truth) * np.exp(0.5j * phase) + noise(side, generator, 0.02)
    inverted = truth.conj() + noise(side, generator, 0.02)
    ones = np.ones(truth.shape)
    found, conjugated = (
        evaluate(
            image.astype(np.complex64), truth.astype(np.complex64), ones, EvaluationOptions()
        ).standard
        for image in (faint, inverted)
    )
    assert found["contrast_transfer"].phase == pytest.approx(0.5, abs=0.01)
    assert conjugated["contrast_correlation"].phase < 0.05
    assert conjugated["contrast_transfer"].phase < 0.05
    assert conjugated["frc50"].phase < 0.03


@pytest.mark.parametrize(("amplitude", "phase"), [(0.15, 0.0), (0.0, 0.3), (0.0, 0.0)])
def test_what_the_truth_has_no_contrast_of_has_no_figure_of_contrast(
    amplitude: float, phase: float
) -> None:
    side = 100
    generator = np.random.default_rng(0)
    parts = [natural(side, generator) for _ in range(2)]
    truth = (0.8 + amplitude * parts[0] / 3) * np.exp(1j * (0.4 + phase * parts[1]))
    recon = truth + noise(side, generator, 0.01)
    found = standard_metrics(recon, truth, np.ones(truth.shape, bool), tiled=True)
    assert found.tiles is not None
    resampled = metrics_of(found.tiles)
    for part, has_contrast in (("amplitude", amplitude > 0), ("phase", phase > 0)):
        for name in ("contrast_correlation", "contrast_transfer"):
            figure = found.metrics[name][part]
            assert figure is not None and bool(np.isnan(figure)) is not has_contrast
            assert (f"{name}.{part}" in found.undefined) is not has_contrast
            if has_contrast:
                assert resampled[f"{name}.{part}"][0] == pytest.approx(figure, rel=1e-6)
    no_field = not (amplitude or phase)
    assert ("frc50.value" in found.undefined) is no_field
