"""Does whatever is in a file end in a reading or in words?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptyrun import open_reconstruction, open_scan
from ptyrun.errors import PtyrunError
from tests import foreign_files as files
from tests.foreign_files import RECONSTRUCTIONS, SCANS, Made

SCENE = files.scene()
HDF5 = (".h5", ".hdf5", ".cxi", ".ptyd", ".ptyr", "v73.mat")
ALL = {f"{made.reader} {made.name}": made for made in (*SCANS, *RECONSTRUCTIONS)}
OTHERS = {name: made for name, made in ALL.items() if not made.name.endswith(HDF5)}
QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def spoilt(whole: bytes, at: float, byte: int, keep: float) -> bytes:
    """Change one byte, and leave out the end."""
    raw = bytearray(whole)
    raw[min(int(at * len(raw)), len(raw) - 1)] ^= byte
    return bytes(raw[: int(keep * len(raw))])


def read_whole(path: Path) -> None:
    for opening in (open_scan, open_reconstruction):
        try:
            found = opening(path)
            if opening is open_scan:
                found.amplitudes(np.arange(found.n_frames))
        except PtyrunError as error:
            assert error.what
            assert error.do


def test_there_are_files_of_both_kinds() -> None:
    assert len(OTHERS) >= 8
    assert len(ALL) - len(OTHERS) >= 10


@given(
    name=st.sampled_from(sorted(OTHERS)),
    at=st.floats(0, 1),
    byte=st.integers(0, 255),
    keep=st.sampled_from([1.0, 1.0, 1.0, 0.95, 0.5, 0.1]),
)
@settings(max_examples=30, **QUIET)
def test_a_spoilt_file_ends_in_a_reading_or_in_words(
    name: str, at: float, byte: int, keep: float, tmp_path: Path
) -> None:
    made = OTHERS[name]
    whole = made.write(tmp_path / made.name, SCENE).read_bytes()
    path = tmp_path / f"spoilt{Path(made.name).suffix}"
    path.write_bytes(spoilt(whole, at, byte, keep))
    read_whole(path)


@pytest.mark.slow
@pytest.mark.parametrize("made", [ALL[name] for name in sorted(set(ALL) - set(OTHERS))])
def test_a_spoilt_hdf5_file_ends_in_a_reading_or_in_words(made: Made, tmp_path: Path) -> None:
    random = np.random.default_rng(len(made.name))
    whole = made.write(tmp_path / made.name, SCENE).read_bytes()
    for number in range(4):
        path = tmp_path / f"spoilt{number}{Path(made.name).suffix}"
        path.write_bytes(spoilt(whole, random.random(), int(random.integers(1, 256)), 1.0))
        read_whole(path)


@given(
    kind=st.sampled_from(["<c8", ">c8", "<c16", ">c16"]),
    fortran=st.booleans(),
    leading=st.sampled_from([(), (1,), (1, 1)]),
)
@settings(max_examples=20, **QUIET)
def test_a_bare_array_is_read_in_any_type_and_order(
    kind: str, fortran: bool, leading: tuple[int, ...], tmp_path: Path
) -> None:
    values = SCENE.object.astype(kind).reshape(*leading, *SCENE.object.shape)
    np.save(tmp_path / "object.npy", np.asarray(values, order="F" if fortran else "C"))
    assert np.array_equal(open_reconstruction(tmp_path / "object.npy").object, SCENE.object)


@given(
    kind=st.sampled_from(["c8", "c16"]),
    packed=st.booleans(),
    before=st.integers(0, 2),
    modes=st.integers(1, 3),
)
@settings(max_examples=20, **QUIET)
def test_a_matlab_file_is_read_whatever_else_it_holds(
    kind: str, packed: bool, before: int, modes: int, tmp_path: Path
) -> None:
    others = {f"a{number}": {"text": "x", "cells": [1, "y"]} for number in range(before)}
    probe = np.stack([SCENE.modes[0]] * modes, -1)
    members = {**others, "object": SCENE.object.astype(kind), "probe": probe}
    scipy.io.savemat(tmp_path / "result.mat", members, do_compression=packed)
    found = open_reconstruction(tmp_path / "result.mat")
    assert np.array_equal(found.object, SCENE.object)
    assert found.probe_modes is not None
    assert found.probe_modes.shape == (modes, *SCENE.modes.shape[1:])


@given(
    kind=st.sampled_from(["<f4", ">f4", "<f8", "<u2", ">i4"]),
    cornered=st.booleans(),
    angle=st.booleans(),
)
@settings(max_examples=20, **QUIET)
def test_frames_of_tike_are_read_in_any_type_and_with_any_middle(
    kind: str, cornered: bool, angle: bool, tmp_path: Path
) -> None:
    counts = np.fft.ifftshift(SCENE.counts, axes=(-2, -1)) if cornered else SCENE.counts
    data, scan = counts.astype(kind), SCENE.positions_px - files.SIDE / 2
    if angle:
        data, scan = data[None], scan[None]
    np.savez(tmp_path / "tike.npz", data=data, scan=scan)
    found = open_scan(tmp_path / "tike.npz")
    wanted = np.sqrt(SCENE.counts, dtype=np.float32)
    assert np.array_equal(found.amplitudes(np.arange(files.N_FRAMES)), wanted)
    assert np.array_equal(found.positions_px, SCENE.positions_px)
