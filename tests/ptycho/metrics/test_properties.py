"""What must hold of any object, whatever it looks like?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import fft
from scipy.ndimage import gaussian_filter

from ptyrun.config import EvaluationOptions, PhaseAlign
from ptyrun.ptycho.metrics.common_ground import CommonGround
from ptyrun.ptycho.metrics.evaluation import Evaluation, evaluate
from ptyrun.ptycho.metrics.registration import NO_SHIFT, Shift, apply_shift
from tests.ptycho.metrics.objects import N_OBJECTS, natural, noise

Field = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Given:
    """A random object, what was reconstructed of it, and more chance."""

    truth: Field
    recon: Field
    deviation: float
    generator: np.random.Generator

    @classmethod
    def of(cls, seed: int) -> Given:
        generator = np.random.default_rng(seed)
        side = int(generator.integers(96, 129))
        amplitude, phase = (np.clip(natural(side, generator), -3, 3) for _ in range(2))
        depth, strength = generator.uniform(0.03, 0.2), generator.uniform(0.1, 0.6)
        truth = (0.8 + depth * amplitude) * np.exp(1j * strength * phase)
        deviation = float(generator.uniform(0.01, 0.05))
        return cls(truth, truth + noise(side, generator, deviation), deviation, generator)

    @property
    def side(self) -> int:
        return self.truth.shape[0]

    def measured(self, recon: Field, truth: Field | None = None, covered=None) -> Evaluation:
        covered = np.ones(self.truth.shape) if covered is None else covered.astype(float)
        wanted = self.truth if truth is None else truth
        return evaluate(
            recon.astype(np.complex64), wanted.astype(np.complex64), covered, EvaluationOptions()
        )

    def discs(self, share: float) -> Field:
        holes = np.zeros(self.truth.shape, bool)
        y, x = np.mgrid[: self.side, : self.side]
        radius_px = self.generator.uniform(4, 12)
        while holes.mean() < share:
            row, column = self.generator.uniform(0, self.side, 2)
            holes |= (y - row) ** 2 + (x - column) ** 2 < radius_px**2
        return holes


def alike(found: Evaluation, expected: Evaluation, rel: float, left_out: str = "") -> None:
    for name, metric in expected.standard.items():
        for part in ("amplitude", "phase", "value"):
            one, other = found.standard[name][part], metric[part]
            if name.startswith("frc") or f"{name}.{part}" == left_out or other is None:
                continue
            assert one == pytest.approx(other, rel=rel, abs=rel, nan_ok=True), (name, part)


def a_global_phase_of_either(given: Given) -> None:
    turns = np.exp(1j * given.generator.uniform(-np.pi, np.pi, 2))
    found = given.measured(given.recon * turns[0], given.truth * turns[1])
    alike(found, given.measured(given.recon), 2e-3)
    plain = given.measured(given.recon)
    assert found.metrics["mae"].phase == pytest.approx(plain.metrics["mae"].phase, rel=2e-3)


def a_factor(given: Given) -> None:
    found = given.measured(given.recon * given.generator.uniform(0.01, 100))
    alike(found, given.measured(given.recon), 2e-3)


def a_ramp(given: Given) -> None:
    cycles = given.generator.uniform(-2, 2, 2) / given.side
    y, x = np.mgrid[: given.side, : given.side]
    ramp = np.exp(2j * np.pi * (cycles[0] * y + cycles[1] * x))
    alike(given.measured(given.recon * ramp), given.measured(given.recon), 0.01)


def a_shift(given: Given) -> None:
    moved = Shift(*given.generator.uniform(-4, 4, 2))
    found = given.measured(apply_shift(given.recon, moved))
    assert found.shift is not None
    assert found.shift.dy_px == pytest.approx(-moved.dy_px, abs=0.03)
    assert found.shift.dx_px == pytest.approx(-moved.dx_px, abs=0.03)
    plain = given.measured(given.recon).standard["mae"].phase
    assert found.standard["mae"].phase == pytest.approx(plain, rel=0.2)


def a_conjugation(given: Given) -> None:
    found = given.measured(given.recon.conj())
    assert found.standard["contrast_correlation"].phase < -0.3
    for name in ("frc50", "frc1over7"):
        crossing = found.standard[name].phase
        assert crossing is not None and crossing < 0.1, name
    assert found.standard["contrast_transfer"].phase < 0


def holes(given: Given) -> None:
    hidden = given.discs(given.generator.uniform(0.05, 0.4))
    found = given.measured(np.where(hidden, 0, given.recon), covered=~hidden)
    other = given.measured(np.where(hidden, 7j, given.recon), covered=~hidden)
    alike(found, other, 1e-3)
    plain = given.measured(given.recon)
    assert found.standard["mae"].phase == pytest.approx(plain.standard["mae"].phase, rel=0.2)
    for name in ("frc50", "frc1over7"):
        one, whole = (each.standard[name].value for each in (found, plain))
        assert one is None or math.isnan(one) or one > (whole or 1.0) - 0.2


def dead_pixels(given: Given) -> None:
    dead = np.less(given.generator.random(given.truth.shape), given.generator.uniform(0.05, 0.9))
    value = given.generator.choice([0.0, -0.0, 1e-9])
    measured = given.measured(np.where(dead, value, given.recon))
    found, plain = measured.standard, given.measured(given.recon).standard
    assert found["mae"].phase > 0.95 * plain["mae"].phase
    if measured.shift == NO_SHIFT:  # else pixels are mixtures of dead ones and others
        assert found["phase_defined_share"].phase == pytest.approx(1 - dead.mean(), abs=0.05)


def a_support(given: Given) -> None:
    y, x = np.mgrid[: given.side, : given.side] - given.side / 2
    inside = y**2 + x**2 < (given.side * given.generator.uniform(0.3, 0.45)) ** 2
    truth = np.where(inside, given.truth, 0)
    recon = truth + noise(given.side, given.generator, 1e-4)
    found = given.measured(recon, truth).standard
    assert found["mae"].phase < 1e-3
    assert found["phase_defined_share"].phase < 0.8


def thickness(given: Given) -> None:
    thick = natural(given.side, given.generator)
    thick = gaussian_filter(thick, 2) * given.generator.uniform(5, 9)
    frequency = np.hypot(*np.meshgrid(*[fft.fftfreq(given.side) * 2] * 2))
    cut = 0.15
    low = np.real(fft.ifft2(fft.fft2(thick) * (frequency < cut)))
    low = low + 0.05 * given.generator.standard_normal(thick.shape)
    found = given.measured(np.exp(1j * low), np.exp(1j * thick))
    crossing = found.standard["frc1over7"].phase
    if crossing is None or math.isnan(crossing):
        assert found.undefined["frc1over7.phase"], "none, and no reason"
    else:
        assert crossing < cut + 0.1


def arms_of_unequal_coverage(given: Given) -> None:
    side = given.side
    better = given.measured(given.recon)
    worse_image = given.recon + noise(side, given.generator, 1.5 * given.deviation)
    where = np.zeros((side, side), bool)
    where[:, : int(side * given.generator.uniform(0.4, 0.9))] = True
    worse = given.measured(np.where(where, worse_image, 0), covered=where)
    ground = CommonGround.of([better, worse])
    assert ground is not None
    one, other = (
        ground.measured(*ground.cut(arm, PhaseAlign.PLANE)).metrics for arm in (better, worse)
    )
    for name, part in (("mae", "phase"), ("mae", "amplitude"), ("complex_error", "value")):
        assert one[name][part] < other[name][part]
    for name, part in (("ssim", "phase"), ("ms_ssim", "amplitude"), ("coherence", "value")):
        assert one[name][part] > other[name][part]


PROPERTIES: list[Callable[[Given], None]] = [
    a_global_phase_of_either,
    a_factor,
    a_ramp,
    a_shift,
    a_conjugation,
    holes,
    dead_pixels,
    a_support,
    thickness,
    arms_of_unequal_coverage,
]


@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda each: each.__name__)
def test_what_must_hold_of_any_object_holds_of_one(holds: Callable[[Given], None]) -> None:
    holds(Given.of(1000))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(N_OBJECTS))
def test_what_must_hold_of_any_object_holds_of_many(seed: int) -> None:
    PROPERTIES[seed % len(PROPERTIES)](Given.of(seed))
