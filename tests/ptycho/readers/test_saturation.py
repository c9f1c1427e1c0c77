"""Is a detector that counted as far as it can named, and told from one with gaps?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.saturation import saturated
from tests import foreign_files as files
from tests.foreign_files import N_FRAMES

SCENE = files.scene()


def scan_of(path: Path, counts: np.ndarray) -> Path:
    y, x = SCENE.positions_px.T
    np.savez(path, diff3d=counts, xcoords=x, ycoords=y)
    return path


@pytest.mark.parametrize(
    ("dtype", "highest"),
    [("u1", 255), ("u2", 65535), ("i2", 32767), ("u4", 4095), ("i4", 2**20 - 1)],
)
def test_saturated_frames_keep_their_counts_and_are_named(
    dtype: str, highest: int, tmp_path: Path
) -> None:
    counts = np.minimum(SCENE.counts.astype(np.int64) * (highest // 200), highest).astype(dtype)
    full = counts == highest
    assert 0 < full.any(axis=0).sum() < 12
    scan = open_scan(scan_of(tmp_path / "scan.npz", counts))
    (doubt,) = scan.doubts
    n_pixels, n_frames = full.any(axis=0).sum(), full.any(axis=(1, 2)).sum()
    assert doubt.startswith(f"{n_pixels} pixel")
    assert f" in {n_frames} of 7 frames looked at hold" in doubt
    assert f" {highest}, the largest number of" in doubt
    assert np.allclose(scan.amplitudes(np.arange(N_FRAMES)) ** 2, counts, rtol=1e-5)
    assert scan.bad_pixels is None


def test_a_gap_is_no_saturation(tmp_path: Path) -> None:
    counts = SCENE.counts.astype(np.uint16)
    counts[:, :, 5] = 65535
    scan = open_scan(scan_of(tmp_path / "scan.npz", counts))
    (doubt,) = scan.doubts
    assert "as detectors write where they have no pixel" in doubt
    assert not scan.amplitudes(np.arange(N_FRAMES))[:, :, 5].any()


@given(
    dtype=st.sampled_from(["u1", "i2", ">u2", "u4", "i8", "f4", ">f8"]),
    highest=st.integers(2, 254) | st.integers(256, 4094) | st.integers(4096, 16382),
    n=st.integers(1, 64),
)
def test_counts_that_end_anywhere_else_are_not_doubted(dtype: str, highest: int, n: int) -> None:
    frames = np.zeros((1, 8, 8))
    frames.reshape(-1)[:n] = highest
    kind = np.dtype(dtype)
    if kind.kind == "f" or highest < np.iinfo(kind).max:
        assert saturated(frames.astype(kind)) is None
