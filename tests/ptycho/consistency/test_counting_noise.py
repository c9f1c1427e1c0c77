"""Which R-factor does counting noise alone leave, and where is it known?"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import poisson

from ptyrun.ptycho.consistency.counting_noise import (
    Counting,
    expected_difference,
    unit_of,
)
from ptyrun.ptycho.consistency.measured_frames import Frames, Measured
from ptyrun.ptycho.consistency.r_factor import frame_sums, noise_alone
from ptyrun.ptycho.readers.opening import open_scan
from tests.scans import small_object, small_probe, write_scan

SIDE, N_FRAMES = 32, 64


def mean_counts(photons: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    weight = np.exp(-np.hypot(y, x) / 3)
    return np.broadcast_to(photons * weight / weight.sum(), (N_FRAMES, SIDE, SIDE))


@pytest.mark.parametrize("mean", [0.0, 0.003, 0.1, 0.5, 1.0, 2.5, 9.0, 41.0, 60.0, 1e4])
def test_the_root_of_counts_is_as_far_off_as_many_draws_say(mean: float) -> None:
    counts = np.random.default_rng(5).poisson(mean, 400_000)
    drawn = np.abs(np.sqrt(counts) - np.sqrt(mean)).mean()
    assert expected_difference(np.array([np.sqrt(mean)]))[0] == pytest.approx(drawn, abs=3e-3)


def summed(mean: float) -> float:
    """E|sqrt n - sqrt mean|, term by term."""
    width = 12 * math.sqrt(mean) + 30
    counts = np.arange(max(0, int(mean - width)), int(mean + width))
    return float((poisson.pmf(counts, mean) * np.abs(np.sqrt(counts) - math.sqrt(mean))).sum())


@given(st.floats(-6, 4))
def test_it_is_the_sum_over_all_counts_whether_dark_or_bright(exponent: float) -> None:
    mean = 10**exponent
    found = float(expected_difference(np.array([math.sqrt(mean)]))[0])
    assert found == pytest.approx(summed(mean), rel=1.5e-3)


@given(st.lists(st.floats(-6, 4), min_size=1, max_size=30))
def test_of_a_mixture_of_dark_and_bright_it_is_the_sum_of_all(exponents: list[float]) -> None:
    root = np.sqrt(10.0 ** np.array(exponents)).reshape(1, 1, -1)
    found = expected_difference(root).sum()
    exact = sum(summed(float(each) ** 2) for each in root.ravel())
    assert found == pytest.approx(exact, rel=1.5e-3)


@pytest.mark.parametrize("unit", [1.0, 3.2e-8, 17.0])
@pytest.mark.parametrize("photons", [10.0, 1e3, 1e6])
def test_the_unit_of_whole_numbers_is_found(photons: float, unit: float) -> None:
    counts = np.random.default_rng(2).poisson(mean_counts(photons))
    amplitude = np.sqrt(unit * counts).astype(np.float32)
    assert unit_of(amplitude.astype(np.float64) ** 2) == pytest.approx(unit, rel=1e-5)


def test_other_values_have_no_unit() -> None:
    generator = np.random.default_rng(3)
    assert unit_of(generator.random((8, SIDE, SIDE)).astype(np.float32).astype(float)) is None
    assert unit_of(mean_counts(1e3).astype(np.float32).astype(float)) is None
    assert unit_of(np.zeros((2, SIDE, SIDE))) is None
    assert unit_of(np.ones((2, SIDE, SIDE))) is None


def test_photons_are_known_from_the_frames_or_from_what_a_simulation_says(tmp_path: Path) -> None:
    scan = open_scan(write_scan(tmp_path / "scan.npz"))
    counted = Counting.of(scan)
    assert counted is not None and counted.unit == pytest.approx(1e-4, rel=1e-5)  # of the fixture
    frames = scan.amplitudes(np.arange(scan.n_frames))
    blurred = frames + np.random.default_rng(1).random(frames.shape, np.float32)
    plain = open_scan(write_scan(tmp_path / "plain.npz", diffraction=blurred))
    assert Counting.of(plain) is None
    told = Counting.of(replace(plain, photons_per_frame=1e4))
    assert told is not None and told.known_from == "nphotons in the scan's metadata"
    assert plain.energies().mean() / told.unit == pytest.approx(1e4)


@pytest.mark.parametrize("unit", [1.0, 9e-8])
def test_it_is_of_all_frames_that_r_factors_are_of_however_unlike_they_are(
    tmp_path: Path, unit: float
) -> None:
    shape, side, n_frames = (64, 64), 16, 150
    generator = np.random.default_rng(0)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = (1 - 0.9 * (np.hypot(y - 20, x - 40) < 12)) * np.exp(1j * np.sin(x / 3) * np.cos(y / 4))
    offset = np.arange(side) - side / 2
    probe = 12 * np.exp(-(offset[:, None] ** 2 + offset**2) / 12)
    places = generator.integers(side // 2, 64 - side // 2, (n_frames, 2))
    lit = [image[y - 8 : y + 8, x - 8 : x + 8] * probe for y, x in places]
    mean = np.abs(np.fft.fftshift(np.fft.fft2(lit, norm="ortho"), axes=(1, 2))) ** 2
    counts = generator.poisson(mean)
    path = write_scan(
        tmp_path / "scan.npz",
        diffraction=np.sqrt(unit * counts).astype(np.float32),
        xcoords=places[:, 1].astype(float),
        ycoords=places[:, 0].astype(float),
        probeGuess=probe.astype(np.complex64),
        objectGuess=image.astype(np.complex64),
    )
    scan = open_scan(path)
    measured = Measured(Frames(scan, np.arange(n_frames)), scan.probe_modes)
    sums = frame_sums(scan, 7 * image, scan.probe_modes, measured.frames.numbers, measured)
    found = noise_alone(scan, 7 * image, sums, measured, Counting(unit, ""))
    expected = mean * counts.sum() / mean.sum()
    exact = sum(summed(float(each)) for each in expected.ravel()) / np.sqrt(counts).sum()
    assert found == pytest.approx(exact, rel=1e-3)
    # Nothing but counting came between the object and its frames.
    assert found == pytest.approx(sums.r_factor(), rel=0.02)


@pytest.mark.parametrize(
    "said", ['{"nphotons": 1e9}', '{"physics_parameters": {"nphotons": 1000000000}}']
)
def test_a_simulation_says_how_many_photons_its_frames_have(tmp_path: Path, said: str) -> None:
    scan = open_scan(write_scan(tmp_path / "scan.npz", _metadata=np.array(said)))
    assert scan.photons_per_frame == 1e9


@pytest.mark.parametrize(
    "said", ['{"nphotons": -1}', '{"nphotons": "many"}', '{"nphotons": NaN}', "[]"]
)
def test_what_is_no_number_of_photons_is_none(tmp_path: Path, said: str) -> None:
    scan = open_scan(write_scan(tmp_path / "scan.npz", _metadata=np.array(said)))
    assert scan.photons_per_frame is None


def test_a_noisy_object_promises_more_noise_than_there_is_and_a_blurred_one_less() -> None:
    """So that of no object but the true one it is a bound."""
    image, probe = small_object(), small_probe()
    generator = np.random.default_rng(0)
    parts = generator.normal(0, 0.1, (2, *image.shape))
    blurred = gaussian_filter(image.real, 1) + 1j * gaussian_filter(image.imag, 1)
    corners = generator.integers(0, np.array(image.shape) - 32, (20, 2))

    def promised(model: np.ndarray) -> float:
        patches = np.stack([model[y : y + 32, x : x + 32] for y, x in corners])
        root = np.abs(np.fft.fft2(patches * probe, norm="ortho"))
        return float(expected_difference(root * np.sqrt(2e5 / np.sum(root**2))).sum())

    true = promised(image)
    assert promised(image + parts[0] + 1j * parts[1]) > 1.2 * true
    assert promised(blurred) < 0.6 * true
