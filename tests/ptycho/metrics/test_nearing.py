from __future__ import annotations

import numpy as np
import pytest

from ptyrun.ptycho.metrics.moving import Movable
from ptyrun.ptycho.metrics.nearing import Nearing
from ptyrun.ptycho.metrics.registration import Shift
from tests.ptycho.metrics.objects import natural, noise

SHAPE = (72, 96)


@pytest.mark.parametrize("has_ramp", [False, True], ids=["shift alone", "ramp too"])
@pytest.mark.parametrize("n_holes", [0, 1])
def test_a_step_is_the_least_squares_of_all_known_pixels(n_holes: int, has_ramp: bool) -> None:
    generator = np.random.default_rng(3)
    amplitude, phase = (natural(96, generator, 1.5)[: SHAPE[0]] for _ in range(2))
    truth = ((1 + 0.1 * amplitude) * np.exp(0.2j * phase)).astype(np.complex64)
    movable = Movable.of(truth)
    slopes = [movable.slope(axis) for axis in (0, 1)]
    known = np.ones(SHAPE, bool)
    known[10 : 10 + 20 * n_holes, 40:50] = False
    recon = (0.7 - 1.1j) * (movable.by(Shift(0.3, -0.2)) + 0.2 - 0.3j)
    recon = (recon + noise(96, generator, 0.05)[: SHAPE[0]]).astype(np.complex64)

    found = Nearing.of(truth, *slopes, known, has_ramp=has_ramp).step(recon)

    y, x = (each - side / 2 for each, side in zip(np.indices(SHAPE), SHAPE, strict=True))
    ramps = [1j * y * truth, 1j * x * truth] if has_ramp else []
    constant = np.ones(SHAPE)
    columns = [*slopes, *ramps, truth, 1j * truth, constant, 1j * constant]
    matrix = np.stack([each[known] for each in columns], axis=1).astype(np.complex128)
    own, wanted = recon[known].astype(np.complex128), truth[known].astype(np.complex128)
    left = np.vdot(own, wanted) / np.vdot(own, own).real * own - wanted
    unknowns, right = (np.concatenate([each.real, each.imag]) for each in (matrix, left))
    expected = np.linalg.lstsq(unknowns, right, rcond=None)[0]
    assert (found.dy_px, found.dx_px) == pytest.approx(tuple(expected[:2]), rel=1e-3)
    ramp = tuple(expected[2:4]) if has_ramp else (0.0, 0.0)
    assert (found.ramp_y, found.ramp_x) == pytest.approx(ramp, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("axis", [0, 1])
def test_an_image_is_moved_and_differentiated_alike_whatever_is_wanted_of_it(axis: int) -> None:
    movable = Movable.of(noise(48, np.random.default_rng(1), 1.0)[:, :37])
    inside = (slice(5, 30), slice(0, 20))
    shift = Shift(1.25, -0.5)
    np.testing.assert_array_equal(movable.by(shift, inside), movable.by(shift)[inside])
    np.testing.assert_array_equal(movable.slope(axis, inside), movable.slope(axis)[inside])
