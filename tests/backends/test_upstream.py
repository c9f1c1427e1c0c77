from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.backends.tf import TensorFlowPredictor
from ptyrun.errors import ModelError, PredictorUnavailableError
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.predictors import ModelRequest
from tests.backends.reference import CENTRE, STUDY, intensity_scale, stored_arrays

# On a CPU with other kernels. Two units in the last place of amplitudes around 1;
# and where no mask reaches, everything is multiplied by 1000: one unit of one pixel's phase.
CENTRE_TOLERANCE, PATCH_TOLERANCE = 4e-7, 1e-5
BASELINE_TOLERANCE = 1.3e-6


@pytest.fixture(scope="module")
def bundle(golden: Path) -> Path:
    return golden / STUDY / "dense/gs2/wts.h5.zip"


@pytest.fixture(scope="module")
def stored(golden: Path) -> dict[str, NDArray[Any]]:
    return stored_arrays(golden)


@pytest.fixture(scope="module")
def scale(golden: Path) -> np.float32:
    return intensity_scale(golden)


def predicted(
    path: Path,
    diffraction: NDArray[Any],
    offsets: NDArray[Any],
    gridsize: int,
    batch_items: int,
) -> NDArray[np.complex64]:
    predictor = TensorFlowPredictor.open(ModelRequest(path, 64, gridsize, batch_items))
    assert predictor.batch_items == batch_items
    patches = []
    for start in range(0, len(diffraction), batch_items):
        rows = np.arange(start, start + batch_items).clip(max=len(diffraction) - 1)
        patches.append(predictor.predict(diffraction[rows], offsets[rows]))
    return np.concatenate(patches)[: len(diffraction)]


def pinn(
    bundle: Path, stored: dict[str, NDArray[Any]], scale: np.float32, n: int, batch: int
) -> NDArray[np.complex64]:
    normalised = stored["pinn_in_X"][:n] / scale
    return predicted(bundle, normalised, stored["pinn_in_coords"][:n], 2, batch)


def test_the_pinn_gives_upstreams_patches(
    bundle: Path, stored: dict[str, NDArray[Any]], scale: np.float32
) -> None:
    difference = np.abs(pinn(bundle, stored, scale, 96, 16) - stored["pinn_patches"][..., 0])
    assert difference[:, CENTRE, CENTRE].max() < CENTRE_TOLERANCE
    assert difference.max() < PATCH_TOLERANCE


def test_with_upstreams_kernels_the_last_place_of_one_offset_is_all_that_differs(
    golden: Path,
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "tests.backends.last_places", golden],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(process.stdout.splitlines()[-1])
    assert found["equal"] >= 80  # of 96
    assert found["neither"] == 0
    assert found["centre"] < 2e-7
    assert found["whole"] < 8e-6


# Upstream's own layer sums everything into one canvas from batch 16 on.
@pytest.mark.parametrize("batch", [1, 15, 16, 40, 64])
def test_the_pinn_gives_one_patch_per_group_at_every_batch(
    bundle: Path, stored: dict[str, NDArray[Any]], scale: np.float32, batch: int
) -> None:
    n = max(4, min(batch, 40))
    difference = np.abs(pinn(bundle, stored, scale, n, batch) - stored["pinn_patches"][:n, ..., 0])
    assert difference[:, CENTRE, CENTRE].max() < CENTRE_TOLERANCE
    assert difference.max() < PATCH_TOLERANCE


def test_the_baseline_gives_upstreams_patches(
    golden: Path, stored: dict[str, NDArray[Any]], scale: np.float32
) -> None:
    frames = np.moveaxis(stored["pinn_in_X"][::3] / scale, -1, 1).reshape(-1, 64, 64, 1)
    scan_offsets = np.full((len(frames), 1, 2, 1), 100, np.float32)  # never to be used
    patches = predicted(golden / STUDY / "baseline/gs1", frames, scan_offsets, 1, 32)
    amplitude, phase = (
        stored[f"baseline_out_{part}"].reshape(-1, 4, 64, 64)[::3].reshape(-1, 64, 64)
        for part in ("amp", "phase")
    )
    wanted = amplitude * np.exp(1j * phase)
    assert np.abs(patches - wanted).max() < BASELINE_TOLERANCE


def test_a_patch_has_the_same_bits_in_any_cut_and_order(
    bundle: Path, stored: dict[str, NDArray[Any]], scale: np.float32
) -> None:
    order = np.random.default_rng(2).permutation(24)
    normalised, offsets = stored["pinn_in_X"][:24] / scale, stored["pinn_in_coords"][:24]
    straight = predicted(bundle, normalised, offsets, 2, 8)
    mixed = predicted(bundle, normalised[order], offsets[order], 2, 8)
    assert np.array_equal(mixed, straight[order])


def test_bundle_and_baseline_say_what_they_are_made_for(golden: Path) -> None:
    pinn_card = inspect(locate(golden / STUDY / "dense/gs2"))
    baseline_card = inspect(locate(golden / STUDY / "baseline/gs1"))
    assert (pinn_card.patch_px, pinn_card.gridsize, pinn_card.takes_offsets) == (64, 2, True)
    assert (baseline_card.patch_px, baseline_card.gridsize) == (64, 1)
    assert baseline_card.takes_offsets is False


Members = dict[str, bytes]
NETWORK = "diffraction_to_obj/model.keras"


def rewritten(source: Path, target: Path, change: Callable[[Members], object]) -> Path:
    """Copy a bundle; *change* sees the members of its Keras file."""
    with zipfile.ZipFile(source) as bundle, zipfile.ZipFile(target, "w") as new:
        for name in ("manifest.dill", "diffraction_to_obj/params.dill"):
            new.writestr(name, bundle.read(name))
        with zipfile.ZipFile(BytesIO(bundle.read(NETWORK))) as keras_file:
            members = {name: keras_file.read(name) for name in keras_file.namelist()}
        change(members)
        inner = BytesIO()
        with zipfile.ZipFile(inner, "w") as keras_file:
            for name, data in members.items():
                keras_file.writestr(name, data)
        new.writestr(NETWORK, inner.getvalue())
    return target


def in_config(change: Callable[[dict[str, dict[str, Any]]], object]) -> Callable[[Members], None]:
    """Change the layers of ``config.json``, by name."""

    def changed(members: Members) -> None:
        config = json.loads(members["config.json"])
        change({layer["name"]: layer for layer in config["config"]["layers"]})
        members["config.json"] = json.dumps(config).encode()

    return changed


def in_weights(change: Callable[[h5py.File], object]) -> Callable[[Members], None]:
    def changed(members: Members) -> None:
        buffer = BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            change(file)
        members["model.weights.h5"] = buffer.getvalue()

    return changed


def as_class(layer: dict[str, Any], module: str, name: str) -> None:
    layer.update(module=module, class_name=name, registered_name=f"{module}>{name}")


def as_class_of_amp(module: str, name: str, layers: dict[str, dict[str, Any]]) -> None:
    as_class(layers["amp"], module, name)


# Layers and functions of Keras itself that unpickle, open a file or unlock what is locked.
READS_FILES_OR_CODE = (
    ("keras.layers", "TorchModuleWrapper"),
    ("keras.layers", "TFSMLayer"),
    ("keras.layers", "StringLookup"),
    ("keras.utils", "get_file"),
    ("keras.config", "enable_unsafe_deserialization"),
    ("builtins", "exec"),
)


def old_lambda(layers: dict[str, dict[str, Any]]) -> None:
    """Spell a Lambda as older Keras did: without the module that it is of."""
    layer = layers["amp"]
    layer.update(class_name="Lambda", config={"name": "amp", "function": ["4wA=", None, None]})
    del layer["module"], layer["registered_name"]


def activated_by(layers: dict[str, dict[str, Any]], class_name: str) -> None:
    layers["conv2d"]["config"]["activation"] = {
        "class_name": class_name,
        "config": {"code": "4wA="},
    }


KERNEL = "layers/conv2d_3/vars/0"


def store_outside(file: h5py.File) -> None:
    shape = file[KERNEL].shape
    del file[KERNEL]
    outside = [("/dev/zero", 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(KERNEL, shape, np.float32, external=outside)


def reshape_kernel(file: h5py.File) -> None:
    del file["layers/conv2d_3/vars/0"]
    file["layers/conv2d_3/vars/0"] = np.zeros((3, 3, 128, 127), np.float32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            in_config(partial(as_class_of_amp, "ptycho.other", "NewLayer")),
            r"unknown: ptycho\.other\.NewLayer(.|\n)*--trust-model ARM",
        ),
        (
            in_config(partial(as_class_of_amp, "os", "system")),
            r"unknown: os\.system",
        ),
        (in_config(partial(as_class_of_amp, "keras.layers", "Lambda")), "Lambda"),
        (in_config(old_lambda), r"unknown: Lambda \(it holds code\)(.|\n)*--trust-model ARM"),
        (in_config(lambda layers: activated_by(layers, "__lambda__")), "unknown: __lambda__"),
        *(
            (
                in_config(partial(as_class_of_amp, module, name)),
                rf"unknown: {module}\.{name}",
            )
            for module, name in READS_FILES_OR_CODE
        ),
        (in_config(lambda layers: layers["amp"].pop("config")), "config.json"),
        (
            in_config(lambda layers: layers["amp"]["config"].update(activation_name="?")),
            "activation '\\?'",
        ),
        (in_weights(store_outside), "vars/0' has its raw data in another file"),
        (in_weights(reshape_kernel), r"conv2d_3 needs(.|\n)*127"),
        (in_weights(lambda file: file.pop("layers/conv2d_3")), r"stored are \[\]"),
        (in_weights(lambda file: file.pop("layers/conv2d_3/vars/1")), r"stored are \[\(3, 3"),
        (
            in_weights(lambda file: file.create_dataset("layers/dense/vars/0", data=[1.0])),
            "layers/dense/vars/0",
        ),
        (
            lambda members: members.update({"model.weights.h5": b"none"}),
            r"model\.weights\.h5 is refused",
        ),
        (lambda members: members.pop("model.weights.h5"), r"lacks model\.weights\.h5"),
        (lambda members: members.update({"config.json": b"{"}), r"config\.json"),
    ],
)
def test_a_bundle_that_does_not_fit_together_is_refused_by_name(
    bundle: Path, tmp_path: Path, change: Callable[[Members], object], said: str
) -> None:
    path = rewritten(bundle, tmp_path / "wts.h5.zip", change)
    with pytest.raises(ModelError, match=said):
        TensorFlowPredictor.open(ModelRequest(path, 64, 2, 8))


def test_weights_of_another_file_are_refused(bundle: Path, tmp_path: Path) -> None:
    def link(file: h5py.File) -> None:
        with h5py.File(tmp_path / "other.h5", "w") as other:
            other["kernel"] = file[KERNEL][()]
        del file[KERNEL]
        file[KERNEL] = h5py.ExternalLink(str(tmp_path / "other.h5"), "kernel")

    path = rewritten(bundle, tmp_path / "wts.h5.zip", in_weights(link))
    with pytest.raises(ModelError, match="leads to another file"):
        TensorFlowPredictor.open(ModelRequest(path, 64, 2, 8))


@pytest.fixture
def foreign(bundle: Path, tmp_path: Path) -> Path:
    """A bundle with a layer that only upstream's package could know."""
    change = in_config(partial(as_class_of_amp, "ptycho.other", "NewLayer"))
    return rewritten(bundle, tmp_path / "wts.h5.zip", change)


def test_a_trusted_bundle_needs_upstreams_package(foreign: Path) -> None:
    request = ModelRequest(foreign, 64, 2, 8, trusted=True)
    with pytest.raises(PredictorUnavailableError, match="ptycho"):
        TensorFlowPredictor.open(request)


STAND_IN = """
import keras

def load_inference_bundle(folder):
    '''Upstream's contract: a network of scaled amplitudes that sums large batches.'''
    assert (folder / "wts.h5.zip").is_file()
    amplitudes, offsets = keras.Input((64, 64, 4)), keras.Input((1, 2, 4))
    amplitude = keras.ops.mean(amplitudes, axis=-1) + 0 * keras.ops.sum(offsets)
    amplitude = keras.ops.sum(amplitude, axis=0, keepdims=True)
    return keras.Model([amplitudes, offsets], [amplitude, 0 * amplitude]), {}
"""


def test_a_trusted_bundle_gets_scaled_amplitudes_and_a_safe_batch(
    foreign: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stored: dict[str, NDArray[Any]],
    scale: np.float32,
) -> None:
    (tmp_path / "ptycho/workflows").mkdir(parents=True)
    (tmp_path / "ptycho/workflows/components.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    request = ModelRequest(foreign, 64, 2, 8, trusted=True)
    predictor = TensorFlowPredictor.open(request)
    assert predictor.batch_items == 1
    assert any("ran code of the bundle" in note for note in predictor.card.notes)
    given: Any = stored["pinn_in_X"][:1]
    patch = predictor.predict(given / scale, stored["pinn_in_coords"][:1])
    np.testing.assert_allclose(patch, given.mean(axis=-1), rtol=1e-5)


def test_the_word_of_the_user_is_not_needed_for_a_bundle_that_ptyrun_can_read(
    bundle: Path,
) -> None:
    request = ModelRequest(bundle, 64, 2, 4, trusted=True)
    assert TensorFlowPredictor.open(request).card.notes == ()
