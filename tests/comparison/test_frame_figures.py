from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ptyrun.comparison import frame_figures
from ptyrun.comparison.frame_figures import ArmFrames, FrameCheck, why_unexplained
from ptyrun.comparison.run import Run
from ptyrun.frame_results import CountingNoise
from ptyrun.ptycho.consistency.r_factor import frame_sums, frames_within
from ptyrun.results import Results
from tests.scans import small_object


@pytest.fixture
def run(complete_run: Path) -> Run:
    return Run(complete_run)


@pytest.fixture
def check(run: Run) -> FrameCheck:
    everywhere = np.ones(run.scan.object_guess.shape, bool)
    return FrameCheck(run.scan, run.manifest, everywhere, 512)


def test_results_have_r_factors_of_every_arm_and_of_the_scans_object(complete_run: Path) -> None:
    results = Results.load(complete_run / "results.json")
    for name in ("r_factor", "fourier_error"):
        assert name in results.sources
        least = results.truth[name].value
        assert least > 0
        assert all(arm.standard[name].value > least for arm in results.arms.values())
    for arm in results.arms.values():
        assert arm.frames.is_common
        assert arm.frames.n_frames == arm.frames.n_common <= arm.frames.n_covered
        assert arm.frames.probe == "the scan's"
    assert all(" R-factor 0." in line for line in results.summary_lines()[: len(results.arms)])
    noise = results.counting_noise
    assert noise is not None
    assert (noise.of, noise.known_from) == (
        "objectGuess",
        "the frames are whole numbers of one unit",
    )
    # Nothing but counting came between the object and its frames.
    assert noise.r_factor == pytest.approx(results.truth["r_factor"].value, rel=0.02)
    assert "counting_noise" in results.sources


def test_what_an_earlier_window_found_is_taken_over(check: FrameCheck) -> None:
    found = check.held(partial(check.truth, check.scan.object_guess))
    again = ArmFrames.of(found.finding())
    assert again.metrics == found.metrics
    assert again.figures == found.figures
    assert np.array_equal(again.sums.absolute, found.sums.absolute)


def test_without_frames_in_common_an_arm_is_held_against_its_own(check: FrameCheck) -> None:
    nothing = replace(check, common=np.zeros_like(check.common))
    found = nothing.held(partial(nothing.truth, small_object()))
    assert not found.figures.is_common
    assert found.figures.n_frames == found.figures.n_covered > frame_figures.FEWEST


def test_what_cannot_be_told_has_a_reason(check: FrameCheck) -> None:
    for scan, why in (
        (replace(check.scan, probe=None), "there is no probe"),
        (replace(check.scan, near_field=True), "near field"),
        (
            replace(check.scan, positions_px=check.scan.positions_px - 60),
            "wholly in what it covers lie 0 frames, of ",
        ),
    ):
        other = replace(check, scan=scan)
        found = other.held(partial(other.truth, small_object()))
        assert found.metrics["r_factor"].value is None
        assert why in found.undefined["r_factor.value"]
        assert ArmFrames.of(found.finding()) == found


def test_an_arm_is_lit_by_the_probe_that_it_brings(run: Run, check: FrameCheck, tmp_path) -> None:
    image = small_object()
    (plan,) = (arm for arm in run.manifest.arms if arm.name == "reconstruction")
    probe = (2 * check.scan.probe * np.exp(0.3j)).astype(np.complex64)
    modes = np.stack([probe, 0.5 * np.roll(probe, 3, axis=1)])
    path = tmp_path / "own.npz"
    np.savez(path, reconstructed_object=image, reconstructed_probe=modes, allow_pickle=False)
    sources = {**run.manifest.sources, "arm.reconstruction": str(path)}
    there = replace(check, manifest=replace(run.manifest, sources=sources))
    arm = SimpleNamespace(image=image, coverage=np.ones(image.shape))
    found = there.held(partial(there.arm, plan, arm))
    assert found.figures.probe == "its own"
    assert found.figures.n_modes == 2
    assert found.figures.probe_coherence == pytest.approx(1, abs=1e-3)
    frames = frames_within(check.scan, check.common)
    expected = frame_sums(check.scan, image, modes, frames).r_factor()
    assert found.metrics["r_factor"].value == pytest.approx(expected)


def test_an_arm_that_leaves_far_more_of_the_frames_than_another_is_noted() -> None:
    others = {"the ground truth": 0.14, "A": 0.48}
    assert "R-factor 0.48, where the ground truth has 0.14" in (why_unexplained(0.48, others) or "")
    assert "where A has 0.14" in (why_unexplained(0.48, {"A": 0.14, "B": 0.48}) or "")
    for own, least in ((0.20, 0.05), (0.50, 0.40), (None, 0.1), (0.5, 0.0)):
        assert why_unexplained(own, {"A": least}) is None
    assert why_unexplained(0.5, {}) is None


def test_counting_noise_is_of_the_truth_where_one_is_known(check: FrameCheck) -> None:
    image = small_object()
    lights = {
        "objectGuess": partial(check.truth, image),
        "first": partial(check.truth, 0.9 * image + 0.1 * np.roll(image, 1, 0)),
    }
    found = {name: check.held(light) for name, light in lights.items()}
    sums = found["first"].sums
    assert sums is not None
    found["first"] = replace(found["first"], sums=replace(sums, absolute=0 * sums.absolute))
    assert check.noise(lights, found).of == "first"
    simulated = replace(check, scan=replace(check.scan, object_guess=image, object_is_truth=True))
    assert simulated.noise(lights, found).of == "objectGuess"


def test_counting_noise_that_is_not_known_has_a_reason(check: FrameCheck) -> None:
    image = small_object()
    light = partial(check.truth, image)
    without = replace(check, scan=replace(check.scan, probe=None))
    bare = partial(without.truth, image)
    assert without.noise({"a": bare}, {"a": without.held(bare)}).why_none == "there is no probe"
    dark = {"a": partial(check.truth, 0 * image)}
    found = check.noise(dark, {"a": check.held(dark["a"])})
    assert found == CountingNoise(why_none="the frames hold no light")
    unknown = FrameCheck(check.scan, check.manifest, check.common, 512)
    unknown.__dict__["counting"] = None
    assert "no nphotons" in unknown.noise({"a": light}, {}).why_none
