"""Bundles that would do harm are refused by name on the command line, and do none."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.studies import ptyrun

NETWORK = "diffraction_to_obj/model.keras"
WEIGHTS = "model.weights.h5"


class RunsCode:
    """What it does when it is unpickled must never happen."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def add(path: Path, name: str, data: bytes) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4000])


def replaced(path: Path, name: str, data: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in {**members, name: data}.items():
            archive.writestr(entry, content)


def reshape(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        inner = archive.read(NETWORK)
    inside = path.with_name("inner.keras")
    inside.write_bytes(inner)
    with zipfile.ZipFile(BytesIO(inner)) as keras_file:
        weights = BytesIO(keras_file.read(WEIGHTS))
    with h5py.File(weights, "r+") as file:
        del file["layers/conv2d_3/vars/0"]
        file["layers/conv2d_3/vars/0"] = np.zeros((3, 3, 128, 127), np.float32)
    replaced(inside, WEIGHTS, weights.getvalue())
    replaced(path, NETWORK, inside.read_bytes())
    inside.unlink()


def pytorch(path: Path) -> None:
    manifest = {"models": ["diffraction_to_obj"], "version": "2.0-pytorch"}
    replaced(path, "manifest.dill", pickle.dumps(manifest))


BUNDLES: dict[str, tuple[Callable[[Path], None], str]] = {
    "leaves the folder": (lambda path: add(path, "../outside.txt", b"x"), "'../outside.txt'"),
    "zip bomb": (lambda path: add(path, "bomb", bytes(64 << 20)), "'bomb'"),
    "truncated": (cut, "not a whole zip archive"),
    "weights of another shape": (reshape, "conv2d_3"),
    "networks of PyTorch": (pytorch, "2.0-pytorch"),
}


@pytest.fixture
def model(golden: Path, tmp_path: Path) -> Path:
    bundle = golden / "hub/data/phase_e/dose_1000/dense/gs2/wts.h5.zip"
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copyfile(bundle, folder / bundle.name)
    return folder


def words(golden: Path, model: Path, run_dir: Path) -> list[str]:
    scan = golden / "hub/data/phase_c/dose_1000/patched_train.npz"
    more = [f"--test_data={scan}", f"--output_dir={run_dir}", "--n-test-groups=4"]
    return ["compare", f"--pinn_dir={model}", "--pinn-predict-batch-size=2", *more]


@pytest.mark.parametrize("case", BUNDLES)
def test_a_bundle_that_is_not_to_be_trusted_is_refused_by_name(
    case: str, golden: Path, model: Path, tmp_path: Path
) -> None:
    change, named = BUNDLES[case]
    change(model / "wts.h5.zip")
    done = ptyrun(*words(golden, model, tmp_path / "run"))
    assert done.returncode == 2
    assert named in done.stderr
    assert not list((tmp_path / "run/arrays.zarr/pinn/patches").glob("c.*"))
    assert not (tmp_path / "outside.txt").exists()
    assert not list(tmp_path.glob("*/outside.txt"))


def test_code_in_a_bundles_parameters_never_runs(golden: Path, model: Path, tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    values = {"N": 64, "gridsize": 2, "intensity_scale": 988.2, "probe": RunsCode(trace)}
    replaced(model / "wts.h5.zip", "diffraction_to_obj/params.dill", pickle.dumps(values))
    done = ptyrun(*words(golden, model, tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert not trace.exists()
