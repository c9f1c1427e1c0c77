from __future__ import annotations

import errno
import json
import os
import re
import resource
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.errors import ModelError
from ptyrun.models import archives, cards
from ptyrun.models.cards import exported_inputs, inspect, keras_inputs
from ptyrun.models.files import ModelFile, locate
from ptyrun.models.kinds import ModelKind


def keras_config(*shapes: list[int | None]) -> dict[str, Any]:
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": f"in{number}"}}
        for number, shape in enumerate(shapes)
    ]
    order = [[f"in{number}", 0, 0] for number in range(len(shapes))]
    return {"class_name": "Functional", "config": {"layers": layers, "input_layers": order}}


def keras_file(path: Path, *shapes: list[int | None]) -> ModelFile:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(keras_config(*shapes)))
    return locate(path)


def test_diffraction_and_offsets_are_told_apart_in_either_order(tmp_path: Path) -> None:
    image, offsets = [None, 64, 64, 4], [None, 1, 2, 4]
    for order in ((image, offsets), (offsets, image)):
        card = inspect(keras_file(tmp_path / "net.keras", *order))
        assert (card.patch_px, card.gridsize, card.takes_offsets) == (64, 2, True)


def test_a_fixed_batch_is_said(tmp_path: Path) -> None:
    assert inspect(keras_file(tmp_path / "net.keras", [8, 64, 64, 1])).batch_items == 8
    assert inspect(keras_file(tmp_path / "net.keras", [None, 64, 64, 1])).batch_items is None


def test_free_axes_say_nothing(tmp_path: Path) -> None:
    card = inspect(keras_file(tmp_path / "net.keras", [None, None, None, None]))
    assert (card.patch_px, card.gridsize, card.takes_offsets) == (None, None, False)


def test_a_number_of_channels_that_is_no_square_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="3 patterns"):
        inspect(keras_file(tmp_path / "net.keras", [None, 64, 64, 3]))


def test_inputs_come_in_the_order_of_the_models_call() -> None:
    config = keras_config([None, 8, 8, 1], [None, 1, 2, 1])
    config["config"]["input_layers"].reverse()
    assert [each.shape for each in keras_inputs(config)] == [(None, 1, 2, 1), (None, 8, 8, 1)]


def test_a_single_input_may_be_named_without_a_list() -> None:
    config = keras_config([None, 8, 8, 1])
    config["config"]["input_layers"] = ["in0", 0, 0]
    assert [each.shape for each in keras_inputs(config)] == [(None, 8, 8, 1)]


def test_a_card_beside_the_model_fills_what_the_file_does_not_say() -> None:
    model = ModelFile(Path("net.pth"), "pytorch", ModelKind.OTHER, patch_px=32, gridsize=2)
    card = inspect(model)
    assert (card.patch_px, card.gridsize, card.takes_offsets) == (32, 2, None)


def test_a_card_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    keras_file(tmp_path / "net.keras", [None, 64, 64, 4])
    card = {"schema": 1, "backend": "tf", "file": "net.keras", "patch_px": 32}
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"patch_px 32(.|\n)*says 64"):
        inspect(locate(tmp_path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["config", "layers", "class_name", "name", "batch_shape", "graph_module",
                         "signature", "input_specs", "user_input", "graph", "tensor_values"]),
        inner, max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.pt2", "saved_model.pb"])
def test_a_model_that_may_not_be_read_is_no_broken_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / name).write_bytes(b"a model")
    model = locate(tmp_path / name)
    monkeypatch.setattr(Path, "open", refuse)  # root, who may run this, is refused nothing
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ModelError, match="cannot be read") as caught:
        inspect(model)
    assert "Permission denied" in caught.value.why
    assert "chmod" in caught.value.do


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool", "complex64", "string"])
def test_a_network_that_takes_no_floats_is_refused(tmp_path: Path, dtype: str) -> None:
    config = keras_config([None, 64, 64, 1])
    config["config"]["layers"][0]["config"]["dtype"] = dtype
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(ModelError, match=rf"net\.keras takes {dtype} as its input in0"):
        inspect(locate(tmp_path / "net.keras"))


@pytest.mark.parametrize("name", ["net.keras", "net.pt2", "net.ts", "net.pth", "wts.h5.zip"])
def test_an_archive_of_two_readings_is_no_model(name: str, tmp_path: Path) -> None:
    inside = {"config.json": json.dumps(keras_config([None, 8, 8, 4])), "manifest.dill": ""}
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for member, text in inside.items():
            archive.writestr(member, text)
    (tmp_path / name).write_bytes(b"before it all" + (tmp_path / name).read_bytes())
    with pytest.raises(ModelError, match="not a whole zip archive"):
        inspect(locate(tmp_path / name))


def keras_weights(path: Path, links_out: bool) -> ModelFile:
    model = keras_file(path, [None, 8, 8, 4])
    with h5py.File(path.with_suffix(".tmp"), "w") as file:
        file["layers/conv/vars/0"] = np.ones(3)
        if links_out:
            file["layers/conv/vars/1"] = h5py.ExternalLink("/etc/passwd", "/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(path.with_suffix(".tmp"), "model.weights.h5")
    return model


def test_weights_of_a_keras_file_are_looked_through(tmp_path: Path) -> None:
    assert inspect(keras_weights(tmp_path / "good.keras", links_out=False)).gridsize == 2
    with pytest.raises(ModelError, match=r"bad\.keras/model\.weights\.h5 is refused"):
        inspect(keras_weights(tmp_path / "bad.keras", links_out=True))


@given(st.dictionaries(st.sampled_from(["config", "graph_module"]), json_values))
def test_a_description_of_any_other_shape_says_nothing(document: dict[str, Any]) -> None:
    for inputs in (keras_inputs(document), exported_inputs(document)):
        assert all(size is None or size > 0 for each in inputs for size in each.shape or ())


def test_a_file_that_stays_as_it_is_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "FRESH_NS", 0)
    model = keras_file(tmp_path / "net.keras", [8, 64, 64, 1])
    before = model.path.stat()
    read = cards._read_once.cache_info().misses
    assert inspect(model) == inspect(model)
    assert cards._read_once.cache_info().misses == read + 1
    keras_file(tmp_path / "net.keras", [16, 64, 64, 1])
    os.utime(model.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert inspect(model).batch_items == 16


def test_names_of_inputs_nested_without_end_say_nothing() -> None:
    names: Any = ["x", 0, 0]
    for _ in range(900):  # JSON is read to about this depth
        names = [names]
    config = keras_config([None, 8, 8, 4])
    config["config"]["input_layers"] = names
    assert [each.name for each in keras_inputs(config)] == ["in0"]


@pytest.mark.parametrize("name", ["more.h5", "assets/words.txt", "model.weights.npz"])
def test_a_keras_file_holds_a_network_and_its_weights_alone(tmp_path: Path, name: str) -> None:
    model = keras_weights(tmp_path / "net.keras", links_out=False)
    assert inspect(model).gridsize == 2
    with zipfile.ZipFile(model.path, "a") as archive:
        archive.writestr(name, b"")
    with pytest.raises(ModelError, match=f"no network needs {re.escape(name)}"):
        inspect(model)


@pytest.mark.parametrize("name", ["net.keras", "net.pt2", "net.h5", "net.safetensors"])
def test_a_description_that_would_take_all_memory_is_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, text = tmp_path / name, json.dumps({"config": [[]] * 100})
    if name.endswith(".h5"):
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = text
    elif name.endswith(".safetensors"):
        path.write_bytes(len(text).to_bytes(8, "little") + text.encode())
    else:
        member = "config.json" if name.endswith(".keras") else "net/models/model.json"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, text)
    inspect(locate(path))
    monkeypatch.setattr(cards, "MAX_DESCRIPTION_BYTES", len(text) - 1)
    with pytest.raises(ModelError, match=f"{len(text) - 1}|does not fit"):
        inspect(locate(path))


def test_weights_of_a_keras_file_take_no_memory_to_be_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("config.json", json.dumps(keras_config([None, 8, 8, 4])))
        archive.writestr("model.weights.h5", os.urandom(4 << 20) + bytes(600 << 20))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"net\.keras/model\.weights\.h5 is refused"):
        inspect(locate(path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 200_000
    monkeypatch.setattr(archives, "MAX_PACKED_BYTES", 1 << 20)
    with pytest.raises(ModelError, match=f"at most {1 << 20} are read"):
        inspect(locate(path))
