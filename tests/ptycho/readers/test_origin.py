from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.errors import InputError
from ptyrun.ptycho.consistency import verdict
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.origin import counted_from_middle
from tests.scans import scan_arrays, write_scan

SHAPE = (96, 90)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan(tmp_path_factory.mktemp("origin") / "scan.npz")


def from_middle(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    y, x = SHAPE[0] / 2, SHAPE[1] / 2
    return {"xcoords": arrays["xcoords"] - x, "ycoords": arrays["ycoords"] - y}


def test_frames_outside_the_object_are_said_however_well_the_rest_fits(tmp_path: Path) -> None:
    arrays = scan_arrays()
    weak = np.exp(0.01j * np.angle(arrays["objectGuess"])).astype(np.complex64)
    changed = {**from_middle(arrays), "objectGuess": weak}
    scan = open_scan(write_scan(tmp_path / "scan.npz", **changed))
    said = " ".join(verdict.truth_doubts(scan))
    assert "frames lie wholly inside objectGuess" in said
    assert "--position-origin centre" in said
    right = counted_from_middle(scan)
    assert np.allclose(right.positions_px, open_scan(write_scan(tmp_path / "b.npz")).positions_px)
    assert "lie wholly inside" not in " ".join(verdict.truth_doubts(right))


def test_positions_of_the_corner_are_not_moved(path: Path) -> None:
    with pytest.raises(InputError, match="not counted from the middle"):
        counted_from_middle(open_scan(path))


@given(height=st.integers(40, 200), width=st.integers(40, 200), seed=st.integers(0, 99))
def test_without_an_object_every_patch_lies_within_the_smallest_one(
    height: int, width: int, seed: int, path: Path
) -> None:
    places = np.random.default_rng(seed).uniform(-0.5, 0.5, (60, 2)) * (height, width)
    scan = replace(open_scan(path), positions_px=places, object_guess=None)
    moved = counted_from_middle(scan)
    step = moved.positions_px - places
    assert np.ptp(step, axis=0).max() < 1e-9
    assert moved.positions_px.min() >= scan.patch_px / 2 - 1
