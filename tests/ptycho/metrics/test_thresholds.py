"""Do ring correlations and their thresholds say what theory says of the signal?"""

from __future__ import annotations

import numpy as np
import pytest

from ptyrun.config import EvaluationOptions
from ptyrun.ptycho.metrics import frc
from ptyrun.ptycho.metrics.evaluation import evaluate, mutual
from ptyrun.ptycho.metrics.standard_metrics import THRESHOLDS, TRUTH_THRESHOLDS
from ptyrun.resolutions import NYQUIST
from tests.ptycho.metrics.objects import natural, noise

SIDE = 128


def mean_correlation(snr: float, *, halves: bool) -> float:
    """Over the Fourier pixels of all rings but the first, of many pairs of white images."""
    found = []
    for seed in range(48):
        signal, *noises = (
            noise(SIDE, np.random.default_rng([seed, part]), deviation)
            for part, deviation in enumerate((np.sqrt(snr), 1, 1))
        )
        second = signal + noises[1] if halves else signal
        rings = frc.tapered_correlation(signal + noises[0], second)
        found.append(np.average(rings.correlation[8:], weights=rings.n_pixels[8:]))
    return float(np.mean(found))


@pytest.mark.parametrize("snr", [0.4, 1.0, 4.0])
def test_correlations_are_those_of_theory_within_a_hundredth(snr: float) -> None:
    assert mean_correlation(snr, halves=True) == pytest.approx(snr / (1 + snr), rel=0.01)
    expected = np.sqrt(snr / (1 + snr))
    assert mean_correlation(snr, halves=False) == pytest.approx(expected, rel=0.01)


def test_thresholds_against_a_truth_are_those_of_rosenthal_and_henderson() -> None:
    rings = frc.RingCorrelation(np.ones(3), np.full(3, 10), 4)
    expected = {"frc50": 0.5, "frc1over7": 0.5, "frc_half_bit": 0.541, "frc_one_bit": 0.707}
    for name, level in expected.items():
        assert TRUTH_THRESHOLDS[name](rings) == pytest.approx(level, abs=5e-4)
    many = frc.RingCorrelation(np.ones(3), np.full(3, 10**9), 4)
    for information in (0.5, 1.0):
        level = frc.level_of_bits(information)
        assert frc.bits(information)(many) == pytest.approx(level, abs=1e-3)


def test_half_a_bit_and_one_bit_are_found_where_the_spectra_have_them() -> None:
    side, deviation, found = 256, 0.3, []
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    frequency[0, 0] = 1 / side
    power = frequency**-2.0
    power *= 2 * 0.15**2 * side**2 / power.sum()
    ring = np.rint(frequency * side).astype(int).ravel()
    snr = (
        np.bincount(ring, power.ravel())[: side // 2]
        / np.maximum(np.bincount(ring), 1)[: side // 2]
    )
    snr /= deviation**2
    generator = np.random.default_rng(2)
    for _ in range(8):
        truth = 1 + 0.15 * (natural(side, generator) + 1j * natural(side, generator))
        recon = truth + noise(side, generator, deviation)
        curve = frc.tapered_correlation(recon, truth)
        found.append(
            [
                frc.crossing(curve, TRUTH_THRESHOLDS[name]).nyquist_fraction
                for name in ("frc_half_bit", "frc_one_bit")
            ]
        )
    expected = [(np.flatnonzero(snr[1:] < level)[0] + 1) / (side / 2) for level in (0.414, 1.0)]
    assert np.mean(found, axis=0) == pytest.approx(expected, abs=0.02)


def test_which_thresholds_were_used_is_said() -> None:
    generator = np.random.default_rng(1)
    truth = 1 + 0.15 * (natural(SIDE, generator) + 1j * natural(SIDE, generator))
    one, other = (truth + noise(SIDE, generator, 0.05) for _ in range(2))
    covered = np.ones(truth.shape)
    against_truth = evaluate(one, truth, covered, EvaluationOptions())
    pair = mutual(one, other, covered > 0).standard
    assert against_truth.noise is frc.Noise.FIRST
    assert pair.noise is frc.Noise.BOTH
    for found, curves, thresholds in (
        (against_truth.standard, against_truth.curves, TRUTH_THRESHOLDS),
        (pair.metrics, pair.curves, THRESHOLDS),
    ):
        for name, threshold in thresholds.items():
            crosses_at = frc.crossing(curves.field, threshold).nyquist_fraction
            assert found[name].value == (NYQUIST if crosses_at is None else crosses_at)


@pytest.mark.parametrize(("deviation", "late"), [(0.1, (0.025, 0.045)), (0.01, (0.08, 0.12))])
def test_what_a_taper_leaks_is_read_beyond_a_sharp_cut(
    deviation: float, late: tuple[float, float]
) -> None:
    cut, side = 0.30, 160
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(2 * side)] * 2))
    read = []
    for seed in range(3):
        generator = np.random.default_rng(seed)
        spectrum = np.fft.fft2(natural(2 * side, generator)) * (frequency < cut / 2)
        signal = np.fft.ifft2(spectrum).real[:side, :side]  # has no periods
        halves = (
            signal / signal.std() + deviation * generator.standard_normal((side, side))
            for _ in range(2)
        )
        rings = frc.tapered_correlation(*halves)
        read.append(frc.crossing(rings, THRESHOLDS["frc50"]).nyquist_fraction)
    low, high = late
    assert low < np.mean(read) - cut < high
