"""Are simulated frames those of far-field diffraction, with the noise of counting?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

from ptyrun.errors import GeometryError
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.simulation.exposure import (
    FarField,
    amplitude_of_one_photon,
    counted_amplitude,
    noise_generator,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def random_image(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape))


def frame_by_definition(image: np.ndarray, probe: np.ndarray, y: float, x: float) -> np.ndarray:
    """Each detector pixel as a sum over the object: no FFT, no array of the code under test."""
    n = len(probe)
    axis = np.arange(n) - n // 2
    rows, columns = np.meshgrid(y + axis, x + axis, indexing="ij")
    where = {"order": 1, "mode": "grid-constant"}
    patch = ndimage.map_coordinates(image.real, [rows, columns], **where) + 1j * (
        ndimage.map_coordinates(image.imag, [rows, columns], **where)
    )
    kernel = np.exp(-2j * np.pi * np.outer(axis, axis) / n) / np.sqrt(n)
    return np.asarray(np.abs(kernel @ (probe * patch) @ kernel.T) ** 2)


@pytest.mark.parametrize("position", [(9.0, 11.0), (8.25, 10.75), (1.5, 15.125), (9.999, 4.001)])
@pytest.mark.parametrize("side", [8, 7])
def test_a_frame_is_that_of_an_independent_model(
    rng: np.random.Generator, side: int, position: tuple[float, float]
) -> None:
    image, probe = random_image(rng, 20, 24), random_image(rng, side, side)
    found = FarField(image, probe).intensity(np.array(position))
    assert np.allclose(found, frame_by_definition(image, probe, *position), rtol=1e-12, atol=1e-12)


def test_all_intensity_behind_the_object_reaches_the_detector(rng: np.random.Generator) -> None:
    far_field = FarField(random_image(rng, 20, 24), random_image(rng, 8, 8))
    position = np.array([7.3, 9.8])
    assert far_field.intensity(position).sum() == pytest.approx(far_field.total(position), 1e-13)


def test_a_uniform_object_and_a_flat_probe_light_the_middle_alone() -> None:
    flat = FarField(np.ones((20, 20), complex), np.ones((8, 8), complex))
    found = flat.intensity(np.array([10.0, 10.0]))
    assert found[4, 4] == pytest.approx(64)
    found[4, 4] = 0
    assert np.abs(found).max() < 1e-25


def test_counts_have_the_mean_and_the_variance_of_poisson() -> None:
    """10 000 pixels at each of three rates: both moments within 5 of their standard errors."""
    unit, n = 0.25, 10_000
    for rate in (0.5, 10.0, 1000.0):
        amplitude = counted_amplitude(np.full(n, rate * unit**2), unit, noise_generator(0, 1.0, 0))
        counts = (amplitude.astype(float) / unit) ** 2
        assert np.allclose(counts, np.rint(counts), atol=1e-4 * max(rate, 1))
        assert abs(counts.mean() - rate) < 5 * np.sqrt(rate / n)
        standard_error = np.sqrt((rate + 2 * rate**2) / n)
        assert abs(counts.var() - rate) < 5 * standard_error


def test_a_frame_has_as_many_photons_as_its_dose_says(rng: np.random.Generator) -> None:
    far_field = FarField(random_image(rng, 40, 40), random_image(rng, 8, 8))
    positions = rng.uniform(5, 34, (200, 2))
    totals = np.array([far_field.total(each) for each in positions])
    unit = amplitude_of_one_photon(float(totals.mean()), 1000.0)
    counts = [
        (
            (counted_amplitude(far_field.intensity(p), unit, noise_generator(0, 1000.0, i)) / unit)
            ** 2
        )
        for i, p in enumerate(positions)
    ]
    total = float(np.sum(counts, dtype=float))
    assert abs(total / 200 - 1000) < 5 * np.sqrt(1000 / 200)


def test_noise_depends_on_seed_dose_and_frame_alone() -> None:
    def drawn(*key: float) -> list[int]:
        seed, dose, frame = key
        return noise_generator(int(seed), dose, int(frame)).integers(0, 1000, 8).tolist()

    keys = [(0, 1e3, 0), (1, 1e3, 0), (0, 1e4, 0), (0, 1e3, 1)]
    assert len({tuple(drawn(*key)) for key in keys}) == 4
    assert drawn(0, 1e3, 5) == drawn(0, 1e3, 5)


def test_upstreams_frames_are_such_counts(golden: Path) -> None:
    """The same scale to six digits, and counts that this model's intensities explain."""
    facts = json.loads((golden / "study/phase_c/chain.json").read_text())["facts"]
    file = NpzFile(golden / "study/phase_c/chain_small.npz")
    positions = np.column_stack([file.array("ycoords"), file.array("xcoords")])
    far_field = FarField(file.array("object"), file.array("probe"))
    mean = float(np.mean([far_field.total(each) for each in positions]))
    for dose in (1000, 10000):
        unit = facts["amplitude_of_one_count"][f"dose_{dose}"]
        assert amplitude_of_one_photon(mean, dose) == pytest.approx(unit, rel=1e-6)
        frames = file.array(f"diffraction_dose_{dose}").astype(float)
        counts = np.rint((frames / unit) ** 2)
        expected = np.stack([far_field.intensity(p) for p in positions[:6]]) / unit**2
        bright = expected > 5
        deviation = (counts - expected)[bright] ** 2 / expected[bright]
        limits = stats.chi2.interval(1 - 1e-6, bright.sum())
        assert limits[0] < deviation.sum() < limits[1]


@pytest.mark.parametrize(
    ("image", "probe", "why"),
    [
        (np.ones((9, 9)), np.ones((4, 4), complex), "float64"),
        (np.ones((9, 9), complex), np.ones((2, 4, 4), complex), "(2, 4, 4)"),
        (np.ones((9, 9), complex), np.ones((4, 6), complex), "(4, 6)"),
        (np.ones((9, 9), complex), np.zeros((4, 4), complex), "dark"),
        (np.full((9, 9), np.nan, complex), np.ones((4, 4), complex), "not finite"),
    ],
)
def test_what_cannot_be_simulated_is_refused(image: object, probe: object, why: str) -> None:
    with pytest.raises(GeometryError, match=why.replace("(", r"\(").replace(")", r"\)")):
        FarField(image, probe)  # type: ignore[arg-type]


def test_a_position_beside_the_object_is_refused() -> None:
    far_field = FarField(np.ones((9, 9), complex), np.ones((4, 4), complex))
    with pytest.raises(GeometryError, match="outside"):
        far_field.intensity(np.array([40.0, 4.0]))
