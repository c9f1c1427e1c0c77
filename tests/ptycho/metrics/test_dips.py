"""Is a dip of coarse structure told from the end of all agreement?"""

from __future__ import annotations

import numpy as np
import pytest

import ptyrun
from ptyrun.ptycho.metrics.dips import above_again, notes_of_dips
from ptyrun.ptycho.metrics.frc import RingCorrelation, fixed, tapered_correlation
from tests.ptycho.metrics.objects import noise, weak

HALF = fixed(0.5)


def rings(*values: float) -> RingCorrelation:
    """A curve of these, behind ring 0."""
    return RingCorrelation(np.array([1.0, *values]), np.full(len(values) + 1, 9), 2 * len(values))


@pytest.mark.parametrize(
    ("curve", "end"),
    [
        (rings(0.9, 0.4, 0.8, 0.8, 0.8, 0.8, 0.3, 0.2), 6 / 8),
        (rings(0.9, 0.4, 0.8, 0.8, 0.8, 0.8), 1.0),
        (rings(0.9, 0.8, 0.4, 0.6, 0.4, 0.3, 0.2, 0.1), None),  # it passes the level by chance
        (rings(0.9, 0.8, 0.7, 0.6), None),
        (rings(0.4, 0.3, 0.2, 0.1), None),
        (rings(0.9, float("nan"), 0.9, 0.9), None),
    ],
)
def test_most_rings_behind_a_dip_lie_above(curve: RingCorrelation, end: float | None) -> None:
    found = above_again(curve, HALF)
    assert (found and found.end) == end


def test_a_ring_of_which_holes_leave_nothing_is_no_dip() -> None:
    generator = np.random.default_rng(0)
    truth = 1 + noise(61, generator, 0.1)
    recon = truth + noise(61, generator, 0.02)
    curve = tapered_correlation(recon, truth, generator.random(truth.shape) > 0.1)
    assert not curve.estimated[1]
    assert curve.correlation[1] < 0.5 < curve.correlation[9]
    assert above_again(curve, HALF) is None


def test_each_curve_with_a_dip_is_said_once() -> None:
    dip, none = rings(0.9, 0.4, *[0.8] * 6), rings(0.9, 0.8, 0.3)
    (said,) = notes_of_dips({"phase": dip, "field": none}, {"frc50": HALF, "frc1over7": HALF})
    assert said.startswith("FRC at 0.5, 1/7 of phase: ")
    assert "to 1.00 of Nyquist" in said


def test_a_smooth_curve_of_which_a_ring_jitters_below_is_not_called_wrong_in_coarse_structure() -> (
    None
):
    falling = np.linspace(0.99, 0.45, 40)
    falling[20] = 0.49
    (said,) = notes_of_dips({"phase": rings(*falling)}, {"frc50": HALF})
    assert "coarse" not in said
    assert "single rings fall below before the curve does" in said


def test_a_ring_that_jitters_where_the_curve_falls_anyway_is_not_worth_a_word() -> None:
    falling = np.linspace(0.99, 0.45, 40)
    falling[30] = 0.49
    assert above_again(rings(*falling), HALF) is not None
    assert not list(notes_of_dips({"phase": rings(*falling)}, {"frc50": HALF}))


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_not_called_a_fault_of_coarse_structure(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = np.exp(1j * weak(128, generator)[1])
    recon = truth + noise(128, generator, 0.3)
    found = ptyrun.evaluate(recon.astype(np.complex64), truth.astype(np.complex64))
    assert not any("coarse structure" in note for note in found.notes)


def test_an_arm_that_is_wrong_in_coarse_structure_alone_is_told_so() -> None:
    amplitude, phase = weak(128, np.random.default_rng(5))
    wave = 0.5 * np.cos(2 * np.pi * 3 * np.arange(128) / 128)
    truth = (amplitude * np.exp(1j * phase)).astype(np.complex64)
    found = ptyrun.evaluate((truth * np.exp(1j * wave)).astype(np.complex64), truth)
    assert any("of phase: the first ring below, though" in each for each in found.notes)
    assert not any("the first ring below" in note for note in ptyrun.evaluate(truth, truth).notes)
