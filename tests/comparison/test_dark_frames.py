from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ptyrun.comparison.group_tables import Reference, arm_index, reference
from ptyrun.config import Selection
from ptyrun.errors import GeometryError
from ptyrun.ptycho.consistency.frame_fit import frame_fit
from ptyrun.ptycho.consistency.r_factor import frame_sums
from ptyrun.ptycho.readers.frame_survey import BRIGHT, Survey, dark_frames
from ptyrun.ptycho.readers.frame_survey import DARK as DARK_SHARE
from ptyrun.ptycho.readers.opening import Scan, open_scan
from tests.scans import scan_arrays, write_scan

DARK = np.arange(40, 60)


@pytest.fixture(scope="module")
def aborted(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """The last third of the frames holds nothing."""
    frames = scan_arrays()["diffraction"]
    frames[DARK] = 0
    return open_scan(write_scan(tmp_path_factory.mktemp("dark") / "scan.npz", diffraction=frames))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return open_scan(write_scan(tmp_path_factory.mktemp("whole") / "scan.npz"))


def test_frames_without_signal_are_counted_and_named(aborted: Scan, whole: Scan) -> None:
    assert np.array_equal(aborted.survey.dark, DARK)
    assert "20 of 60 frames hold no signal (40 to 59)" in aborted.survey.dark_note
    assert whole.survey.dark_note == ""
    several = Survey(np.array([1.0, 0, 0, 1, 0, 1]), 1.0, 1.0)
    assert "(1 to 2, 4)" in several.dark_note


def test_frames_that_are_not_normalised_are_told_in_one_sentence() -> None:
    energies = np.ones(3)
    assert Survey(energies, 9.0, 1.0).notes == ()
    (far,) = Survey(energies, 250.0, 0.5).notes
    assert "its maximum is 250, where that of normalised data is below 10, and 500 times" in far
    (large,) = Survey(energies, 250.0, 50.0).notes
    assert "times its mean" not in large
    (peaked,) = Survey(energies, 5.0, 0.01).notes
    assert "its maximum is 500 times its mean. Networks" in peaked


def test_a_faint_frame_is_not_dark() -> None:
    assert len(dark_frames(np.array([1.0, 0.01, 5.0]))) == 0
    assert dark_frames(np.array([1.0, 1e-5, 5.0])).tolist() == [1]


@pytest.mark.parametrize("n_frames", [1, 2, 21, 16_384, 50_000])
def test_what_is_dark_is_told_from_the_twentieth_brightest(n_frames: int) -> None:
    energies = 10.0 ** np.random.default_rng(n_frames).uniform(-6, 0, n_frames)
    energies[::3] = 0
    lit = energies[energies > 0]
    bright = np.quantile(lit, BRIGHT, method="lower") if len(lit) else np.inf
    expected = np.flatnonzero(energies < DARK_SHARE * bright)
    assert dark_frames(energies).tolist() == expected.tolist()


@pytest.mark.parametrize("gridsize", [1, 2])
def test_they_weigh_nothing_and_change_no_normalisation(aborted: Scan, gridsize: int) -> None:
    selected = reference(aborted, Selection(), gridsize)
    index = arm_index(aborted, selected, gridsize)
    has_dark = np.isin(index.frames[:], DARK).any(axis=1)
    assert has_dark.any()
    assert np.array_equal(index.multiplicity[:] == 0, has_dark)
    frames = selected.frames[:]
    lit = frames[~np.isin(frames, DARK).any(axis=1)]
    mean = aborted.energies()[lit].mean()
    assert selected.normalisation == pytest.approx(np.sqrt((32 / 2) ** 2 / mean))
    kept = Reference.of(selected.finding())
    assert np.array_equal(kept.dark, DARK)
    assert np.array_equal(kept.frames[:], selected.frames[:])


@pytest.mark.parametrize("gridsize", [1, 2])
def test_on_request_they_are_not_selected(aborted: Scan, gridsize: int) -> None:
    selected = reference(aborted, Selection(leave_out_dark=True), gridsize)
    assert not np.isin(selected.frames[:], DARK).any()
    assert len(selected.frames) == 40
    assert (arm_index(aborted, selected, gridsize).multiplicity[:] > 0).all()


def test_a_selection_of_nothing_else_is_refused(aborted: Scan) -> None:
    energies = aborted.energies().copy()
    energies[:] = [1.0] + [0.0] * 59
    scan = replace(aborted, surveyed=Survey(energies, 1.0, 0.1))
    with pytest.raises(GeometryError, match="signal"):
        reference(scan, Selection(n_groups=20, grouping_seed=1), 2)


def test_they_say_nothing_against_the_object(aborted: Scan, whole: Scan) -> None:
    assert aborted.object_guess is not None
    assert whole.object_guess is not None
    assert aborted.probe_modes is not None
    assert whole.probe_modes is not None
    fit = frame_fit(aborted, aborted.object_guess)
    without = frame_fit(whole, whole.object_guess)
    assert fit is not None
    assert without is not None
    assert fit.as_given == pytest.approx(without.as_given, abs=0.03)
    frames = np.arange(60)
    found = frame_sums(aborted, aborted.object_guess, aborted.probe_modes, frames)
    expected = frame_sums(whole, whole.object_guess, whole.probe_modes, frames[:40])
    assert np.array_equal(found.frames, frames[:40])
    assert found.r_factor() == pytest.approx(expected.r_factor(), rel=1e-6)


def test_a_model_of_the_frames_adds_all_modes_of_the_probe(tmp_path: Path) -> None:
    arrays = scan_arrays()
    first, image = arrays["probeGuess"], arrays["objectGuess"]
    modes = np.stack([first, 0.8 * first.T * np.exp(0.3j * np.arange(32))]).astype(np.complex64)
    frames = []
    for y, x in zip(arrays["ycoords"].astype(int), arrays["xcoords"].astype(int), strict=True):
        patch = image[y - 16 : y + 16, x - 16 : x + 16]
        waves = np.fft.fftshift(np.fft.fft2(modes * patch, norm="ortho"), axes=(1, 2))
        frames.append(np.sqrt((np.abs(waves) ** 2).sum(axis=0)))
    scan = open_scan(
        write_scan(tmp_path / "scan.npz", diffraction=np.array(frames, "f4"), probeGuess=modes)
    )
    assert scan.object_guess is not None
    fit = frame_fit(scan, scan.object_guess)
    assert fit is not None
    assert fit.as_given < 1e-3
    alone = frame_fit(replace(scan, weaker_modes=None), scan.object_guess)
    assert alone is not None
    assert alone.as_given > 0.1
