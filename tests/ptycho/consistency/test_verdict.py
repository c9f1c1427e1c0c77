from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ptyrun.ptycho.consistency.frame_fit import DC_IN_CORNER, SWAPPED, FrameFit
from ptyrun.ptycho.consistency.place_search import Placement, place
from ptyrun.ptycho.consistency.verdict import (
    coherence_with_reference,
    truth_doubts,
    why_inconsistent,
)
from ptyrun.ptycho.geometry.placement import scanned_region
from ptyrun.ptycho.geometry.stitching import object_shape
from ptyrun.ptycho.metrics.registration import Shift, apply_shift
from ptyrun.ptycho.readers.opening import Scan, open_scan
from ptyrun.ptycho.readers.reconstruction import Reconstruction, open_reconstruction


@pytest.fixture(scope="module")
def scan(golden_scan_path: Path) -> Scan:
    return open_scan(golden_scan_path)


@pytest.fixture(scope="module")
def found(golden: Path) -> Reconstruction:
    return open_reconstruction(
        golden / "hub/data/phase_f/dose_1000/dense/train/ptychi_reconstruction.npz"
    )


def judged(scan: Scan, found: Reconstruction) -> tuple[Placement, str | None]:
    truth = scan.object_guess
    shape = object_shape(scan.positions_px, scan.patch_px) if truth is None else truth.shape
    placement = place(scan, shape, found)
    region = scanned_region(scan.positions_px, 20, shape)
    return placement, why_inconsistent(
        placement, region, coherence_with_reference(placement, truth, region)
    )


@pytest.fixture(scope="module", params=["with a truth", "without a truth"])
def either(request: pytest.FixtureRequest, scan: Scan) -> Scan:
    return scan if request.param == "with a truth" else replace(scan, object_guess=None)


def test_a_reconstruction_of_this_scan_belongs(either: Scan, found: Reconstruction) -> None:
    placement, reason = judged(either, found)
    assert reason is None
    assert placement.fit.as_given < 0.1


def test_one_of_another_object_does_not(either: Scan, found: Reconstruction) -> None:
    other = np.roll(found.object, (131, 146), axis=(0, 1))
    _, reason = judged(either, replace(found, object=other))
    assert "does not explain the measured frames" in reason
    assert "another split" in reason
    assert "262 x 293 px" in reason


def test_one_of_another_size_does_not(either: Scan, found: Reconstruction) -> None:
    _, reason = judged(either, replace(found, object=found.object[::4, ::4], probe=None))
    assert "% of the compared region" in reason
    assert "66 x 74 px" in reason


@pytest.mark.parametrize("side", [1, 6])
def test_one_of_a_few_pixels_does_not(either: Scan, found: Reconstruction, side: int) -> None:
    _, reason = judged(either, replace(found, object=found.object[:side, :side]))
    assert "it covers < 1% of the compared region" in reason


def test_a_turned_one_is_named_with_its_turn(either: Scan, found: Reconstruction) -> None:
    _, reason = judged(either, replace(found, object=found.object.conj()))
    assert "better with the object conjugated" in reason
    assert reason.endswith("; is it stored turned or conjugated?")


def test_swapped_positions_are_asked_about_as_that(scan: Scan, found: Reconstruction) -> None:
    placement, _ = judged(scan, found)
    region = scanned_region(scan.positions_px, 20, scan.object_guess.shape)
    swapped = replace(placement, fit=FrameFit(0.5, 0.5, {SWAPPED: 0.1}))
    reason = why_inconsistent(swapped, region, None)
    assert reason.startswith(f"it explains the frames better with {SWAPPED}; ")
    assert reason.endswith("; are x and y of the scan's positions swapped?")


def test_a_turned_one_that_the_reference_is_like_is_named_where_frames_tell(
    scan: Scan, found: Reconstruction
) -> None:
    placement, _ = judged(scan, found)
    region = scanned_region(scan.positions_px, 20, scan.object_guess.shape)
    turn = {"the object conjugated": 0.39}
    fit = FrameFit(0.50, 0.45, turn)  # of the measured star, conjugated and without its probe
    conjugated = replace(placement, fit=fit, reference=FrameFit(0.39, 0.46, {}))
    assert "better with the object conjugated" in (why_inconsistent(conjugated, region, 0.96) or "")
    for reference in (None, FrameFit(0.46, 0.45, {})):
        told = replace(conjugated, reference=reference)
        assert why_inconsistent(told, region, 0.96) is None


def test_a_shift_that_registration_undoes_is_no_mismatch(scan: Scan, found: Reconstruction) -> None:
    moved = apply_shift(scan.object_guess, Shift(9, -6)).astype(np.complex64)
    assert judged(scan, replace(found, object=moved))[1] is None


def test_a_truth_that_frames_contradict_is_named_itself(scan: Scan, found: Reconstruction) -> None:
    other = replace(
        scan, object_guess=np.roll(np.asarray(scan.object_guess), (100, 60), axis=(0, 1))
    )
    (doubt,) = truth_doubts(other)
    assert "objectGuess does not explain the frames" in doubt
    assert judged(other, found)[1] is None
    (doubt,) = truth_doubts(replace(other, object_path=Path("folder/other.npz")))
    assert "the reference other.npz does not explain the frames" in doubt
    assert "objectGuess" not in doubt


def test_of_a_truth_that_explains_the_frames_nothing_is_claimed(
    scan: Scan, found: Reconstruction
) -> None:
    placement, _ = judged(scan, found)
    region = scanned_region(scan.positions_px, 20, scan.object_guess.shape)
    reason = why_inconsistent(replace(placement, fit=FrameFit(0.33, 0.36, {})), region, 0.25)
    assert "it leaves a residual of 0.33, and 0.36 with positions shuffled" in reason
    assert "the ground truth may" not in reason


def test_frames_that_are_turned_for_the_truth_too_do_not_count_against_a_reconstruction(
    scan: Scan, found: Reconstruction
) -> None:
    placement, _ = judged(scan, found)
    region = scanned_region(scan.positions_px, 20, scan.object_guess.shape)
    turned = replace(placement, fit=FrameFit(0.99, 0.99, {DC_IN_CORNER: 0.1}))
    assert why_inconsistent(turned, region, 0.9) is None
    assert "better with the zero frequency in the corner" in why_inconsistent(turned, region, None)


def test_without_truth_a_whole_object_lies_where_positions_count_from(
    scan: Scan, found: Reconstruction
) -> None:
    whole = replace(found, object=scan.object_guess)
    placement, reason = judged(replace(scan, object_guess=None), whole)
    height, width = placement.image.shape
    assert reason is None
    assert np.array_equal(placement.image, scan.object_guess[:height, :width])


def test_a_part_in_common_is_not_enough_where_the_frames_disagree(
    scan: Scan, found: Reconstruction
) -> None:
    region = scanned_region(scan.positions_px, 20, scan.object_guess.shape)
    right, _ = judged(scan, found)
    wrong, _ = judged(scan, replace(found, object=np.roll(found.object, (131, 146), axis=(0, 1))))
    assert why_inconsistent(right, region, 0.4) is None
    assert "coherence 0.40" in why_inconsistent(wrong, region, 0.4)
    assert why_inconsistent(wrong, region, 0.9) is None


def test_a_probe_of_another_size_is_named(scan: Scan, found: Reconstruction) -> None:
    other = replace(found, probe=found.probe[:32, :32])
    assert "probe of 32 x 32 px" in judged(replace(scan, object_guess=None), other)[1]
    assert judged(scan, other)[1] is None


def test_where_nothing_can_be_told_nothing_is_claimed(scan: Scan, found: Reconstruction) -> None:
    blind = replace(scan, object_guess=None, probe=None)
    placement, reason = judged(blind, replace(found, probe=None))
    assert placement.fit is None
    assert reason is None
