from __future__ import annotations

import io
import json
import pickle
import resource
import struct
import time
import zipfile
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.errors import ModelError
from ptyrun.models.bundles import BundleReader, plain_dict
from ptyrun.models.plain_pickles import MAX_STEPS, Opaque

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(), plain, max_size=4), st.integers(3, pickle.HIGHEST_PROTOCOL))
@settings(deadline=None)
def test_plain_values_are_read_in_every_protocol_that_dill_writes(
    document: dict[str, Any], protocol: int
) -> None:
    assert plain_dict(pickle.dumps(document, protocol), "params.dill") == document


def test_sets_ordered_dictionaries_and_numbers_of_numpy_are_plain() -> None:
    document = {
        "set": {1, 2},
        "ordered": OrderedDict(a=1),
        "N": np.int64(64),
        "scale": np.float32(0.5),
        "flag": np.bool_(True),
    }
    read = plain_dict(pickle.dumps(document), "params.dill")
    assert read == {"set": {1, 2}, "ordered": {"a": 1}, "N": 64, "scale": 0.5, "flag": True}
    assert type(read["N"]) is int


@pytest.mark.parametrize("value", [Fraction(1, 3), Path("/"), np.zeros(3), np.dtype("f4"), print])
def test_everything_else_is_a_placeholder_that_holds_nothing(value: object) -> None:
    read = plain_dict(pickle.dumps({"probe": value, "N": 64}), "params.dill")
    assert read["N"] == 64
    assert isinstance(read["probe"], Opaque)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_code_runs_none(tmp_path: Path) -> None:
    data = pickle.dumps({"N": 64, "probe": Hostile(tmp_path / "ran")})
    assert plain_dict(data, "params.dill")["N"] == 64
    assert not (tmp_path / "ran").exists()


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_other_bytes_are_refused_by_name(data: bytes) -> None:
    try:
        document = plain_dict(data, "params.dill")
    except ModelError as error:
        assert "params.dill" in str(error)
    else:
        assert isinstance(document, dict)


def nested(n: int, step: bytes, first: bytes = b")") -> bytes:
    return b"\x80\x02}" + first + step * n


LAUGHING = b"\x80\x02}X\x01\x00\x00\x00N]q\x00" + b"".join(
    b"(h%ch%clq%c" % (i, i, i + 1) for i in range(60)
)


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def text(length: int) -> bytes:
    return b"X" + struct.pack("<I", length) + b"a" * length


def long_number(n_bytes: int) -> bytes:
    return b"\x8b" + struct.pack("<i", n_bytes) + b"\x7f" * n_bytes


MANY = 100_000
NUMBERS = b"(" + b"".join(map(number, range(MANY)))
# One after the other, each made of the same values, which the file holds once.
COPIED = b"\x85q\x010(" + b"h\x00h\x01R" * MANY + b"l."
KEPT_AS_KEY = b"q\x000" + b"h\x00Ns" * (3 * MANY) + b"."
SAME_HASH = b"".join(
    b"cbuiltins\ncomplex\nG%bG%b\x86RNs" % (struct.pack(">d", -1000003.0 * n), struct.pack(">d", n))
    for n in range(MANY)
)
# Each would take gigabytes or minutes, or end the process.
BOMBS = {
    "a set made again and again": b"\x80\x02}cbuiltins\nset\nq\x000]" + NUMBERS + b"e" + COPIED,
    "a call with all that there is": b"\x80\x02}cnumpy\ndtype\nq\x000"
    + NUMBERS
    + b"t"
    + COPIED[1:],
    "pairs made again and again": b"\x80\x02}ccollections\nOrderedDict\nq\x000]("
    + b"".join(number(each) + b"N\x86" for each in range(MANY))
    + b"e"
    + COPIED,
    "a long number as a key": b"\x80\x02}" + long_number(4 << 20) + KEPT_AS_KEY,
    "a long tuple as a key": b"\x80\x02}" + NUMBERS + b"t" + KEPT_AS_KEY,
    "two equal long texts as keys": b"\x80\x02}"
    + text(3 << 20)
    + b"q\x010"
    + text(3 << 20)
    + b"q\x000"
    + b"h\x00Nsh\x01Ns" * MANY
    + b".",
    "keys of one hash": b"\x80\x02}" + SAME_HASH + b".",
    "a step with a large number": b"\x80\x02}r\xff\xff\xff\x7f.",
    "tuples inside tuples as a key": nested(900_000, b"\x85") + b"K\x01s.",
    "tuples inside tuples in a set": nested(900_000, b"\x85", b"(c__builtin__\nset\n)") + b"(",
    "lists of lists, twice each": LAUGHING + b"s.",
    "more steps than any": nested(MAX_STEPS, b"0)") + b".",
    "a byte array that is not there": b"\x80\x05}\x96" + b"\xff" * 7 + b"\x0f.",
    "a number of thousands of digits": pickle.dumps({"N": 10**6000, "gridsize": 2}),
    "a scale beyond all floats": pickle.dumps({"N": 16, "gridsize": 2, "intensity_scale": 10**400}),
    "a scale that is no number": pickle.dumps(
        {"N": 16, "gridsize": 2, "intensity_scale": float("nan")}
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("part", ["manifest.dill", "diffraction_to_obj/params.dill"])
def test_parameters_made_to_take_all_are_refused_in_a_process_that_lives_on(
    bomb: str, part: str, tmp_path: Path
) -> None:
    path = bundle(tmp_path / "wts.h5.zip", **{part: BOMBS[bomb]})
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s = time.process_time()
    with BundleReader(path) as reader, pytest.raises(ModelError) as refused:
        reader.version()
        reader.parameters()
        reader.load()
    assert len(str(refused.value)) < 1000
    assert time.process_time() - began_s < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 500_000


@pytest.mark.parametrize("scale", ["1" + "0" * 400, "NaN", "1e400"])
def test_a_scale_that_no_float_has_is_refused_in_json_as_well(scale: str, tmp_path: Path) -> None:
    text = f'{{"N": 64, "gridsize": 2, "intensity_scale": {scale}}}'
    more = {"diffraction_to_obj/params.json": text.encode()}
    with (
        BundleReader(bundle(tmp_path / "wts.h5.zip", **more)) as reader,
        pytest.raises(ModelError, match="intensity_scale"),
    ):
        reader.parameters()


def keras_file(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {}}))
        archive.writestr("model.weights.h5", b"weights")
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def bundle(path: Path, version: object = "1.0", **changed: bytes | None) -> Path:
    """Write a bundle; *changed* replaces members, or leaves away those that are None."""
    params = {"N": 64, "gridsize": 2, "nphotons": 1e9, "intensity_scale": 988.25}
    members: dict[str, bytes | None] = {
        "manifest.dill": pickle.dumps({"models": ["diffraction_to_obj"], "version": version}),
        "diffraction_to_obj/params.dill": pickle.dumps(params),
        "diffraction_to_obj/model.keras": keras_file(),
        **changed,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def test_a_bundle_gives_parameters_architecture_and_weights(tmp_path: Path) -> None:
    with BundleReader(bundle(tmp_path / "wts.h5.zip")) as reader:
        read = reader.load()
    assert (read.parameters.patch_px, read.parameters.gridsize) == (64, 2)
    assert read.parameters.intensity_scale == 988.25
    assert (read.config, read.weights_h5) == ({"config": {}}, b"weights")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"manifest.dill": None}, "lacks manifest.dill"),
        ({"diffraction_to_obj/params.dill": None}, "lacks diffraction_to_obj/params.dill"),
        ({"diffraction_to_obj/model.keras": None}, "lacks diffraction_to_obj/model.keras"),
        ({"diffraction_to_obj/model.keras": b"no zip"}, "not a whole zip archive"),
        ({"diffraction_to_obj/params.dill": pickle.dumps({"N": 64})}, "gridsize is None"),
        (
            {"diffraction_to_obj/params.dill": pickle.dumps({"N": -1, "gridsize": 2})},
            "N is -1",
        ),
        ({"diffraction_to_obj/params.dill": pickle.dumps([1])}, "dictionary"),
        (
            {"diffraction_to_obj/model.keras": keras_file(**{"../outside": b""})},
            "leaves the folder",
        ),
    ],
)
def test_a_bundle_that_is_not_whole_is_refused_by_the_name_of_its_part(
    tmp_path: Path, changed: dict[str, bytes | None], said: str
) -> None:
    path = bundle(tmp_path / "wts.h5.zip", **changed)
    with BundleReader(path) as reader, pytest.raises(ModelError, match=said):
        reader.load()


@pytest.mark.parametrize("version", ["2.0-pytorch", "9", None])
def test_a_bundle_of_another_flavour_is_named(tmp_path: Path, version: object) -> None:
    with (
        BundleReader(bundle(tmp_path / "wts.h5.zip", version)) as reader,
        pytest.raises(ModelError, match=f"version '{version}'(.|\n)*--trust-model ARM"),
    ):
        reader.load()
