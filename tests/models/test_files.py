from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.config import OWN_BACKENDS
from ptyrun.errors import ModelError
from ptyrun.models.cards import inspect
from ptyrun.models.files import LOOKED_FOR, locate
from ptyrun.models.kinds import FORMATS, SUFFIXES, ModelKind

ORDER = [
    ("wts.h5.zip", ModelKind.BUNDLE),
    ("baseline_model.h5", ModelKind.KERAS_H5),
    ("a.keras", ModelKind.KERAS),
    ("a.h5", ModelKind.KERAS_H5),
    ("saved_model.pb", ModelKind.SAVED_MODEL),
    ("a.pt2", ModelKind.EXPORTED),
    ("a.onnx", ModelKind.ONNX),
    ("a.ts", ModelKind.TORCHSCRIPT),
    ("a.pth", ModelKind.STATE_DICT),
    ("a.safetensors", ModelKind.SAFETENSORS),
    ("a.ckpt", ModelKind.STATE_DICT),
]


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_first_kind_in_the_documented_order_decides(tmp_path: Path, first: int) -> None:
    found = locate(made(tmp_path, *(name for name, _ in ORDER[first:])))
    assert found.kind is ORDER[first][1]


@pytest.mark.parametrize(("suffix", "kind"), SUFFIXES.items())
def test_a_file_is_taken_by_its_suffix_whatever_lies_beside_it(
    tmp_path: Path, suffix: str, kind: ModelKind
) -> None:
    made(tmp_path, "wts.h5.zip", f"mine{suffix}")
    assert locate(tmp_path / f"mine{suffix}").kind is kind


def test_a_saved_model_is_its_folder(tmp_path: Path) -> None:
    folder = made(tmp_path / "net", "saved_model.pb")
    assert locate(folder).path == locate(folder / "saved_model.pb").path == folder


def test_the_newest_baseline_is_taken_and_said_to_be(tmp_path: Path) -> None:
    older = "12-31-2025-23.59.59_baseline_gs1/baseline_model.h5"
    newer = "01-02-2026-00.00.00_baseline_gs1/baseline_model.h5"
    made(tmp_path, newer, older)
    os.utime(tmp_path / newer, (0, 0))  # the stamp in the name counts, not the file's time
    found = locate(tmp_path)
    assert found.path == tmp_path / newer
    assert found.notes == (f"{newer} is the newest of 2 baseline_model.h5",)


def test_a_single_baseline_needs_no_remark(tmp_path: Path) -> None:
    assert locate(made(tmp_path, "run/baseline_model.h5")).notes == ()


def test_two_models_of_one_kind_are_not_chosen_between(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.keras, b\.keras"):
        locate(made(tmp_path, "a.keras", "b.keras"))


def test_a_folder_without_a_model_names_what_was_looked_for_and_what_is_there(
    tmp_path: Path,
) -> None:
    made(tmp_path, "notes.txt", ".hidden.keras")
    with pytest.raises(ModelError) as caught:
        locate(tmp_path)
    assert LOOKED_FOR in str(caught.value)
    assert "notes.txt" in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "nowhere.keras"])
def test_a_path_that_does_not_exist_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=name):
        locate(tmp_path / name)


def test_a_file_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"weights\.gguf"):
        locate(made(tmp_path, "weights.gguf") / "weights.gguf")


def card(folder: Path, **fields: object) -> Path:
    made(folder, "net.bin", "net.keras")
    text = json.dumps({"schema": 1, "backend": "mine", "file": "net.bin", **fields})
    (folder / "model.json").write_text(text)
    return folder


def test_a_card_names_backend_file_and_shapes(tmp_path: Path) -> None:
    found = locate(card(tmp_path, patch_px=64, gridsize=2))
    assert (found.backend, found.path, found.kind) == (
        "mine",
        tmp_path / "net.bin",
        "model of another package",
    )
    assert (found.patch_px, found.gridsize) == (64, 2)


def test_a_card_may_be_named_itself(tmp_path: Path) -> None:
    assert locate(card(tmp_path) / "model.json") == locate(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"schema": 2},
        {"schema": "one"},
        {"file": "../net.bin"},
        {"file": "/etc/passwd"},
        {"file": "absent.bin"},
        {"file": "half\ud800"},
        {"file": "nothing\0"},
        {"file": "long" * 100},
        {"patch_px": 0},
        {"patch_px": True},
        {"patch_px": 64.0},
        {"gridsize": "2"},
        {"factory": "os:system"},
    ],
)
def test_a_faulty_card_is_refused(tmp_path: Path, fields: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"model\.json"):
        locate(card(tmp_path / "net", **fields))


@settings(deadline=None)
@given(
    text=st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)
)
def test_any_other_text_is_not_a_card(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "model.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ModelError, match=r"model\.json"):
        locate(path)


def test_every_kind_is_read_by_a_backend_of_ptyruns_own_and_each_of_these_reads_some() -> None:
    assert {each.backend for each in FORMATS} == OWN_BACKENDS


@pytest.mark.parametrize(
    "name", ["model-00001-of-00002.safetensors", "model.safetensors.index.json"]
)
def test_weights_in_several_files_are_named_as_that(name: str, tmp_path: Path) -> None:
    for part in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", name):
        (tmp_path / part).write_bytes(b"")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(ModelError, match="a part of weights that are in several files"):
            locate(path)


@pytest.mark.parametrize("name", ["model.json", "saved_model.pb", "net.onnx"])
@pytest.mark.parametrize("n_bytes", [50 << 30, 1 << 30])
def test_a_file_that_is_longer_than_memory_is_refused_by_name(
    name: str, n_bytes: int, tmp_path: Path
) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(n_bytes)
    began_s = time.process_time()
    with pytest.raises(ModelError, match=name):
        inspect(locate(tmp_path))
    assert time.process_time() - began_s < 10
