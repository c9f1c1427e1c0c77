from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ptyrun.ptycho.consistency.frame_fit import frame_fit
from ptyrun.ptycho.readers.opening import Scan, open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction


@pytest.fixture(scope="module")
def star(shared: Path) -> Scan:
    return open_scan(shared / "data/siemens_star_contract_norm.npz")


@pytest.fixture(scope="module")
def arm(shared: Path):
    return open_reconstruction(shared / "data/siemens_ptychi_lsqml_1mode_60ep.npz")


def test_a_reconstruction_explains_its_own_frames(star: Scan, arm) -> None:
    fit = frame_fit(star, arm.object, arm.probe)
    assert fit.explains
    assert fit.better is None
    assert fit.as_given == pytest.approx(0.115, abs=0.01)
    assert fit.shuffled > 0.3


@pytest.mark.parametrize(
    ("turn", "name"),
    [
        (lambda image: image.T, "transposed"),
        (lambda image: image[::-1], "upside down"),
        (lambda image: image[:, ::-1], "left to right"),
        (lambda image: image.conj(), "conjugated"),
    ],
)
def test_a_turned_reconstruction_is_found_out(turn, name: str, star: Scan, arm) -> None:
    fit = frame_fit(star, turn(arm.object), arm.probe)
    assert not fit.explains
    assert name in fit.better


def test_exchanged_coordinates_are_found_out(star: Scan, arm) -> None:
    exchanged = replace(star, positions_px=star.positions_px[:, ::-1].copy())
    assert "swapped" in frame_fit(exchanged, arm.object, arm.probe).better


def test_an_unrelated_object_explains_nothing_in_any_orientation(star: Scan, arm) -> None:
    unrelated = np.random.default_rng(0).permutation(arm.object)
    fit = frame_fit(star, unrelated, arm.probe)
    assert not fit.explains
    assert fit.better is None
    assert not frame_fit(star, np.ones_like(arm.object), arm.probe).explains


def test_the_simulated_truth_explains_its_frames(golden_scan_path: Path) -> None:
    scan = open_scan(golden_scan_path)
    fit = frame_fit(scan, scan.object_guess)
    assert fit.as_given < 0.1
    assert fit.explains


def test_where_it_cannot_be_told_nothing_is_said(star: Scan, arm) -> None:
    assert frame_fit(replace(star, near_field=True), arm.object, arm.probe) is None
    assert frame_fit(replace(star, probe=None), arm.object) is None
    assert frame_fit(star, arm.object[:90, :90], arm.probe) is None
