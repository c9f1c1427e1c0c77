from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ptyrun.testing import PredictorContract
from tests.scans import PATCH_PX, small_object, small_probe

CORNERS = ((9, 9), (30, 41), (50, 10))
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/custom_predictor"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed by pip into a folder of its own; no network."""
    source = tmp_path_factory.mktemp("source") / "custom_predictor"
    target = tmp_path_factory.mktemp("site-packages")
    shutil.copytree(EXAMPLE, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    subprocess.run([*command, str(source)], check=True, timeout=1800)
    return target


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    np.savez(folder / "probe.npz", probeGuess=small_probe())
    card = {"schema": 1, "backend": "known-probe", "file": "probe.npz", "gridsize": 1}
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def python(code: str, installed: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PREDICT = """
from pathlib import Path
import numpy as np
from ptyrun.predictors import ModelRequest, check_output, locate, open_predictor

model = locate(Path({model!r}))
diffraction = np.load({diffraction!r})
request = ModelRequest(model.path, {patch_px}, 1, len(diffraction))
predictor = open_predictor(model.backend, request)
patches = predictor.predict(diffraction, np.zeros((len(diffraction), 1, 2, 1), np.float32))
check_output(patches, len(diffraction), {patch_px})
np.save({patches!r}, patches)
print(type(predictor).__module__)
"""


def test_an_installed_package_offers_a_predictor_that_sees_the_object(
    installed: Path, model: Path, tmp_path: Path
) -> None:
    image, probe = small_object(), small_probe()
    truth = np.array([image[y : y + PATCH_PX, x : x + PATCH_PX] for y, x in CORNERS])
    field = np.fft.fftshift(np.fft.fft2(truth * probe, norm="ortho"), axes=(-2, -1))
    amplitude = np.abs(field) * (PATCH_PX / 2) / np.sqrt(np.sum(np.abs(probe) ** 2))
    np.save(tmp_path / "diffraction.npy", amplitude[..., None].astype(np.float32))
    code = PREDICT.format(
        model=str(model),
        diffraction=str(tmp_path / "diffraction.npy"),
        patches=str(tmp_path / "patches.npy"),
        patch_px=PATCH_PX,
    )
    assert python(code, installed) == "ptyrun_known_probe\n"
    lit = np.abs(probe) > 0.5 * np.abs(probe).max()
    for patch, wanted in zip(np.load(tmp_path / "patches.npy"), truth, strict=True):
        flat = likeness(np.ones(lit.sum()), wanted[lit])
        assert likeness(patch[lit], wanted[lit]) > flat + 0.03


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """1 for images that are equal but for one complex factor."""
    return float(abs(np.vdot(one, other)) / np.linalg.norm(one) / np.linalg.norm(other))


def test_without_the_package_the_predictor_is_unknown(model: Path) -> None:
    from ptyrun.errors import UnknownPredictorError
    from ptyrun.models.files import locate
    from ptyrun.models.predictors import ModelRequest, open_predictor

    found = locate(model)
    assert (found.backend, found.gridsize) == ("known-probe", 1)
    with pytest.raises(UnknownPredictorError, match="known-probe"):
        open_predictor(found.backend, ModelRequest(found.path, PATCH_PX, 1, 2))


def test_the_packages_predictor_refuses_another_patch_size(installed: Path, model: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from ptyrun.errors import ModelError\n"
        "from ptyrun.predictors import ModelRequest, open_predictor\n"
        "try:\n"
        f"    open_predictor('known-probe', ModelRequest(Path({str(model)!r}), 64, 1, 2))\n"
        "except ModelError as error:\n"
        "    print(error.what)"
    )
    assert python(code, installed) == f"the probe has shape ({PATCH_PX}, {PATCH_PX})\n"


def test_the_package_passes_its_own_tests_with_pytest_alone(installed: Path) -> None:
    words = ["-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-p", "no:timeout"]
    done = subprocess.run(
        [sys.executable, *words, str(EXAMPLE.relative_to(ROOT))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    rules = {name for name in vars(PredictorContract) if name.startswith("test_")}
    passed = set(re.findall(r"^PASSED \S+::(test_\w+)", done.stdout, re.MULTILINE))
    assert rules < passed
