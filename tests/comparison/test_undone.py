"""Are objects held against the frames as they were registered, where their place is not theirs?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.comparison.frame_figures import ArmFrames
from ptyrun.comparison.frame_remarks import APART, remarks
from ptyrun.comparison.pair_measures import PairMeasures
from ptyrun.comparison.undone import APART_PX, Undone
from ptyrun.frame_results import FrameFigures
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.ramps import Ramp
from ptyrun.ptycho.metrics.registration import Shift, apply_shift
from ptyrun.ptycho.metrics.standard_metrics import nothing
from ptyrun.results import Results
from ptyrun.stages.finalize import finalize
from tests.commands import ptyrun
from tests.scans import small_object, small_probe, write_scan

Object = NDArray[np.complexfloating]


def noisy() -> Object:
    image = small_object()
    noise = np.random.default_rng(3).normal(0, 0.02, (2, *image.shape))
    return image + noise[0] + 1j * noise[1]


def ramped(image: Object, rad_per_px: float) -> Object:
    return image * np.exp(1j * rad_per_px * np.arange(image.shape[1]))


def results_of(
    tmp_path: Path, objects: Mapping[str, Object], probe: Object | None = None, **changed: None
) -> Results:
    scan = write_scan(tmp_path / "scan.npz", **changed)
    words = ["--test-data", str(scan)]
    for name, image in objects.items():
        arrays = {"reconstructed_object": image.astype(np.complex64)}
        if probe is not None:
            arrays["reconstructed_probe"] = probe
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, **arrays)
        words += ["--arm", f"name={name},reconstruction={tmp_path / name}.npz"]
    run = tmp_path / "run"
    planned = ptyrun("plan", *words, "--output-dir", str(run))
    assert planned.returncode == 0, planned.stderr
    return finalize(run)


def r_factor(results: Results, name: str) -> float:
    value = results.arms[name].standard["r_factor"].value
    assert value is not None
    return value


def frames_of(results: Results, name: str) -> FrameFigures:
    found = results.arms[name].frames
    assert found is not None
    return found


def notes_of(results: Results, name: str) -> list[str]:
    return [note for note in results.arms[name].notes if "R-factor" in note]


def test_what_reconstructions_leave_free_is_undone_before_frames_judge(tmp_path: Path) -> None:
    lying = noisy()
    results = results_of(
        tmp_path,
        {
            "lying": lying,
            "moved": np.roll(lying, (3, -4), (0, 1)),
            "ramped": ramped(lying, 0.05),
            "nearer": apply_shift(lying, Shift(0.2, -0.3)),
            "between": apply_shift(lying, Shift(0.4, -0.6)),
            "both": np.roll(ramped(lying, -0.05), (-2, 1), (0, 1)),
        },
    )
    least = r_factor(results, "lying")
    for name in ("moved", "ramped", "both"):
        assert r_factor(results, name) == pytest.approx(least, rel=0.02)
        assert frames_of(results, name).n_frames == frames_of(results, "lying").n_frames
    # A probe between pixels, beside edges that no pixel resolves.
    assert r_factor(results, "between") < 1.25 * least
    assert r_factor(results, "nearer") < 1.13 * least, "as it lies it is a quarter more"
    assert notes_of(results, "lying") == []
    assert frames_of(results, "lying").moved_px is None
    assert notes_of(results, "moved") == ["R-factor: moved by (-3.00, 4.00) px, as registered"]
    assert frames_of(results, "moved").moved_px == pytest.approx((-3, 4), abs=0.02)
    (note,) = notes_of(results, "ramped")
    assert "0.050) rad/px taken off, as registered" in note
    assert frames_of(results, "ramped").ramp_rad_per_px == pytest.approx((0, 0.05), abs=1e-3)
    (note,) = notes_of(results, "both")
    assert "moved by (2.00, -1.00) px" in note
    assert "rad/px taken off" in note


def test_an_object_with_its_own_probe_stays_where_both_belong(tmp_path: Path) -> None:
    moved = np.roll(noisy(), (3, -4), (0, 1))
    results = results_of(tmp_path, {"moved": moved, "lying": noisy()}, small_probe())
    assert r_factor(results, "moved") > 1.2 * r_factor(results, "lying")
    assert frames_of(results, "moved").moved_px is None


def test_an_object_of_something_else_is_not_moved() -> None:
    assert Undone.of(0.89, Shift(3.0, -4.0), Ramp(), 32) is None
    assert Undone.of(None, Shift(3.0, -4.0), Ramp(), 32) is None
    assert Undone.of(0.95, None, Ramp(0.0, 1.0), 32) is None


def test_small_shifts_and_ramps_change_nothing() -> None:
    assert Undone.of(0.99, Shift(0.03, 0.03), Ramp(0.0, 0.01), 32) is None
    assert Undone.of(0.99, Shift(0.3, 0.3), Ramp(), 32, APART_PX) is None
    assert Undone.of(0.99, Shift(0.03, 0.05), Ramp(), 32) is not None
    assert Undone.of(0.99, Shift(0.4, 0.4), Ramp(), 32) == Undone(Shift(0.4, 0.4), Ramp())
    assert Undone.of(0.99, Shift(0.0, 0.0), Ramp(0.0, 0.05), 32) is not None
    assert Undone.of(0.99, Shift(0.0, 0.0), Ramp(0.0, 0.05), 8) is None


def test_what_was_undone_is_kept_for_later_windows() -> None:
    undone = Undone(Shift(3.0, -4.0), Ramp(0.01, 0.0))
    figures = FrameFigures(
        4, 4, 4, 4, True, "the scan's", 1, 1.0, 0, None, undone.moved_px, undone.ramp_rad_per_px
    )
    found = ArmFrames(figures, None)
    again = ArmFrames.of(
        replace(found.finding(), facts=json.loads(json.dumps(found.finding().facts)))
    )
    assert again == found
    assert again.undone == undone


def test_without_a_reference_arms_that_lie_apart_are_named_beside_r_factors(tmp_path: Path) -> None:
    objects = {"lying": noisy(), "moved": np.roll(noisy(), (3, -4), (0, 1)), "same": noisy()}
    results = results_of(tmp_path, objects, objectGuess=None)
    (said,) = [each for each in remarks(results) if "lies elsewhere" in each]
    labels = {name: arm.label for name, arm in results.arms.items()}
    assert f"{labels['lying']} and {labels['moved']}" in said
    assert f"{labels['moved']} and {labels['same']}" in said
    assert f"{labels['lying']} and {labels['same']}" not in said
    notes = {(pair.first, pair.second): "; ".join(pair.notes) for pair in results.pairs}
    assert "moved by (3.00, -4.00) px" in notes["lying", "moved"]
    assert APART not in notes["lying", "same"]


def test_where_each_probe_is_with_its_object_both_may_lie_anywhere(tmp_path: Path) -> None:
    objects = {"lying": noisy(), "moved": np.roll(noisy(), (3, -4), (0, 1))}
    results = results_of(tmp_path, objects, small_probe(), objectGuess=None)
    assert not any("lies elsewhere" in each for each in remarks(results))


def test_that_a_pair_lies_apart_is_kept_for_later_windows() -> None:
    pair = PairMeasures(nothing("", Noise.BOTH), Shift(3.0, -4.0), Ramp(0.01, 0.0))
    again = PairMeasures.from_finding(pair.finding())
    assert (again.shift, again.ramp) == (pair.shift, pair.ramp)
    assert PairMeasures.from_finding(PairMeasures(nothing("", Noise.BOTH)).finding()).shift is None
