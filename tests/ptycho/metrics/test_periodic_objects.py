"""Of shifts after which a periodic object agrees alike, is the nearest one taken?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ptyrun.ptycho.metrics.alignment import align

Field = np.ndarray[Any, np.dtype[np.complex128]]
Vectors = np.ndarray[Any, np.dtype[np.float64]]


def waves(shape: tuple[int, int], vectors: Vectors, moved_px: Vectors, *, is_phase: bool) -> Field:
    """Waves along *vectors*, (y, x) in cycles per pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    of = [
        np.cos(2 * np.pi * (k[0] * (y + moved_px[0]) + k[1] * (x + moved_px[1]))) for k in vectors
    ]
    wave = np.sum(of, axis=0)
    return np.exp(0.5j * wave) if is_phase else (1 + 0.2 * wave) * np.exp(0.3j * wave)


def pierced(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    covered = np.ones(shape, bool)
    y, x = np.ogrid[: shape[0], : shape[1]]
    while covered.mean() > 0.8:
        row, column, radius = generator.uniform(0, (*shape, 12))
        covered[(y - row) ** 2 + (x - column) ** 2 < max(radius, 3) ** 2] = False
    return covered


def drawn(seed: int, angle: float) -> tuple[Field, Field, Any, Vectors, Vectors]:
    """A lattice, moved, with a ramp and another factor, its holes, its waves, and the shift."""
    generator = np.random.default_rng(seed)
    shape = tuple(generator.integers(90, 180, 2).tolist())
    turn = generator.uniform(0, np.pi)
    turns = np.array([turn, turn + angle]) if angle else np.array([turn])
    periods = generator.uniform(9, 24, len(turns))
    vectors = np.stack([np.sin(turns), np.cos(turns)], axis=1) / periods[:, None]
    shift = generator.uniform(-9, 9, 2)
    is_phase = bool(seed % 2)
    truth = waves(shape, vectors, np.zeros(2), is_phase=is_phase)
    ramp = generator.uniform(-0.1, 0.1, 2)
    y, x = np.mgrid[: shape[0], : shape[1]]
    moved = waves(shape, vectors, shift, is_phase=is_phase) * np.exp(
        1j * (ramp @ [y.ravel(), x.ravel()])
    ).reshape(shape)
    return 1.7 * np.exp(2j) * moved, truth, pierced(generator, shape), vectors, shift


@pytest.mark.parametrize("angle", [np.pi / 2, np.pi / 3], ids=["rectangular", "oblique"])
@pytest.mark.parametrize("has_holes", [False, True], ids=["whole", "pierced"])
@pytest.mark.parametrize("n", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_of_a_lattice_the_nearest_shift_is_taken(n: int, angle: float, *, has_holes: bool) -> None:
    for seed in range(100, 100 + n):
        recon, truth, covered, vectors, shift = drawn(seed, angle)
        known = covered if has_holes else None
        aligned = align(np.where(covered, recon, 0) if has_holes else recon, truth, known)
        found = np.array([aligned.shift.dy_px, aligned.shift.dx_px])
        cycles = vectors @ (found - shift)
        off = np.linalg.solve(vectors, cycles - np.rint(cycles))
        assert np.hypot(*off) < 0.03, seed
        steps = np.linalg.inv(vectors)
        nearest = min(
            np.hypot(*(shift + steps @ [i, j])) for i in range(-4, 5) for j in range(-4, 5)
        )
        assert np.hypot(*found) < nearest + 0.2, seed


@pytest.mark.parametrize("n", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_of_lines_without_noise_the_shift_leads_across_them(n: int) -> None:
    """Also where another is by whole pixels along one axis, and loses less by being made."""
    along = []
    for seed in range(100, 100 + n):
        recon, truth, _, (vector,), shift = drawn(seed, 0.0)
        aligned = align(recon, truth)
        found = np.array([aligned.shift.dy_px, aligned.shift.dx_px])
        cycles = float(vector @ shift)
        wanted = (cycles - round(cycles)) * vector / (vector @ vector)
        off = float(vector @ found) - cycles
        assert abs(off - round(off)) / np.hypot(*vector) < 0.03, seed
        along.append(np.hypot(*found) > np.hypot(*wanted) + 0.5)
    assert np.mean(along) < 0.15


def test_of_lines_that_were_moved_by_whole_pixels_none_is_changed() -> None:
    for seed in range(100, 106):
        _, truth, _, vectors, _ = drawn(seed, 0.0)
        moved = waves(truth.shape, vectors, np.array([2.0, -3.0]), is_phase=bool(seed % 2))
        aligned = align(moved, truth)
        error = np.abs(aligned.recon - aligned.truth)
        assert error.max() < 1e-6 if aligned.shift == aligned.shift.whole else error.mean() < 3e-3
