from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.study.canonical import canonical, transformation
from ptyrun.study.history import MEMBER, History

STAMP = "2026-01-02T03:04:05.000006Z"


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    file = NpzFile(path)
    return {name: file.array(name) for name in file.names if name != MEMBER}


def small(**changes: Any) -> dict[str, np.ndarray]:
    coordinates = np.arange(3.0)
    return {"xcoords": coordinates, "ycoords": coordinates} | changes


def test_counts_become_amplitudes_with_frames_first() -> None:
    counts = np.arange(12, dtype=np.uint16).reshape(2, 2, 3)
    found, done = canonical(small(diff3d=counts))
    assert list(found) == ["xcoords", "ycoords", "diffraction"]
    assert found["diffraction"].dtype == np.float32
    assert np.array_equal(found["diffraction"][1], np.sqrt([[1.0, 4.0], [7.0, 10.0]], dtype="f4"))
    assert done == {
        "flipx": False,
        "flipy": False,
        "transposed": True,
        "amplitude_of_counts": True,
    }


def test_amplitudes_and_double_precision_stay_as_they_are() -> None:
    frames = np.ones((3, 2, 2))
    probe = np.ones((2, 2), np.complex128)
    found, done = canonical(small(diffraction=frames, probeGuess=probe))
    assert found["diffraction"] is frames
    assert found["probeGuess"] is probe
    assert done == {"flipx": False, "flipy": False}


def test_flips_negate_one_axis_of_the_coordinates() -> None:
    found, _ = canonical(small(xcoords_start=np.ones(3)), flip_x=True)
    assert found["xcoords"].tolist() == [0, -1, -2]
    assert found["xcoords_start"].tolist() == [-1, -1, -1]
    assert found["ycoords"].tolist() == [0, 1, 2]


def test_frames_under_two_names_are_refused() -> None:
    frames = np.ones((3, 2, 2))
    with pytest.raises(InputError, match="two names"):
        canonical(small(diffraction=frames, diff3d=frames))


def test_a_history_begins_grows_and_keeps_what_it_does_not_know() -> None:
    step = transformation({"flipx": False, "flipy": False}, STAMP)
    begun = History.begun().with_step(step)
    assert begun.has_step("transpose_rename_convert")
    assert not begun.has_step("generate_patches")
    assert History.read(str(begun.as_member())) == begun
    old = History.read('{"physics_parameters": {"nphotons": 1000}}').with_step(step)
    assert old.facts["physics_parameters"] == {"nphotons": 1000}
    assert [each["tool"] for each in old.steps] == ["transpose_rename_convert"]


@pytest.mark.parametrize("text", ["[]", "{", '{"data_transformations": 3}', "NaN"])
def test_what_is_no_history_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        History.read(text)


def test_a_stored_history_is_read_without_pickle(tmp_path: Path) -> None:
    history = History.begun().with_step(transformation({"flipx": True}, STAMP))
    np.savez(tmp_path / "a.npz", x=np.zeros(2), _metadata=history.as_member())
    assert History.of(NpzFile(tmp_path / "a.npz")) == history
    np.savez(tmp_path / "b.npz", x=np.zeros(2))
    assert History.of(NpzFile(tmp_path / "b.npz")) == History.begun()


def test_every_canonicalisation_of_upstream_comes_out_again(golden: Path) -> None:
    folder = golden / "study" / "phase_c"
    known = json.loads((folder / "canonicalize.json").read_text())
    for name, case in known.items():
        given = arrays_of(folder / f"canon_{name}_in.npz")
        options = {f"flip_{key[-1]}": value for key, value in case["options"].items()}
        found, done = canonical(given, **options)
        expected = {k: v for k, v in case["out"]["arrays"].items() if k != MEMBER}
        assert list(found) == list(expected), name
        if given.get("diff3d", np.zeros(0)).dtype == np.uint16:
            # Upstream neither takes the root of counts nor moves their frames to the front.
            theirs = arrays_of(folder / f"canon_{name}_out.npz")["diffraction"]
            first = np.moveaxis(theirs, -1, 0) if name.endswith("HWN") else theirs
            ours = found.pop("diffraction")
            assert ours.shape == (12, 8, 8)
            assert np.array_equal(ours, np.sqrt(first))
            assert not np.array_equal(ours, first)
        for key, array in found.items():
            digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
            assert list(array.shape) == expected[key]["shape"], (name, key)
            assert (str(array.dtype), digest) == (expected[key]["dtype"], expected[key]["sha256"])
        record = case["out"]["metadata"]["data_transformations"][-1]
        step = transformation(done, record["timestamp"])
        history = History.of(NpzFile(folder / f"canon_{name}_in.npz")).with_step(step)
        told = json.loads(str(history.as_member()))
        if name.startswith("diff3d_uint16"):
            assert told["data_transformations"][-1]["parameters"]["amplitude_of_counts"]
        else:
            assert told == case["out"]["metadata"], name
    assert len(known) == 9
