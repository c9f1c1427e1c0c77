from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.errors import (
    ModelError,
    PredictionError,
    PredictorUnavailableError,
    UnknownPredictorError,
)
from ptyrun.models.files import ModelFile
from ptyrun.models.kinds import ModelKind
from ptyrun.models.predictors import (
    ENTRY_POINTS,
    check_output,
    check_request,
    how_to_mend,
    open_predictor,
)
from tests.model_files import request
from tests.packages import lay_out


def patches(n: int = 3) -> np.ndarray:
    return np.ones((n, 8, 8), np.complex64)


def test_one_finite_patch_per_group_is_accepted() -> None:
    check_output(patches(), n_groups=3, patch_px=8)


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (patches(2), "shape"),
        (patches(4), "shape"),
        (patches()[..., None], "shape"),
        (patches()[:, :4], "shape"),
        (patches().astype(np.complex128), "complex128"),
        (patches().real.astype(np.float32), "float32"),
        (np.where(np.arange(8) == 3, np.nan, patches()).astype(np.complex64), "24 of 192"),
        (np.full((3, 8, 8), np.inf, np.complex64), "192 of 192"),
    ],
)
def test_anything_else_is_refused(faulty: np.ndarray, said: str) -> None:
    with pytest.raises(PredictionError, match=said):
        check_output(faulty, n_groups=3, patch_px=8)


def test_one_group_is_no_groups() -> None:
    with pytest.raises(PredictionError, match=r"of shape \(2, 8, 8\) for 1 group\n"):
        check_output(patches(2), 1, 8)


def test_an_unknown_backend_is_named_with_those_installed() -> None:
    with pytest.raises(UnknownPredictorError, match=r"'theano'(.|\n)*pytorch, tf"):
        open_predictor("theano", request())


BROKEN = """
from ptyrun.models.predictors import ModelCard

def no_class(request):
    return None

class NoBatch:
    card = ModelCard(8, 2, False, "broken")

    @classmethod
    def open(cls, request):
        return cls()

    def predict(self, diffraction, local_offsets_px): ...
    def close(self): ...

class NoGroups(NoBatch):
    batch_items = 0

class NoCard(NoGroups):
    batch_items = 1
    card = None
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package named like nothing else, laid out as pip does; returns its name."""
    entry_points = (
        "[ptyrun.predictors]\n"
        + "".join(
            f"{name} = broken_predictors:{name}\n"
            for name in ("no_class", "NoBatch", "NoGroups", "NoCard", "Absent")
        )
        + "unimportable = broken_import:Predictor\nmisspelt = broken_syntax:Predictor\n"
    )
    modules = {
        "broken_predictors": BROKEN,
        "broken_import": "import no_such_framework\n",
        "broken_syntax": "def\n",
    }
    lay_out(tmp_path, "lattice-tools", entry_points, modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "lattice-tools"


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("no_class", "'no_class' is not a predictor(.|\n)*open"),
        ("NoBatch", "'NoBatch' is not a predictor(.|\n)*batch_items"),
        ("NoGroups", "'NoGroups' is not a predictor(.|\n)*batch_items"),
        ("NoCard", "'NoCard' is not a predictor(.|\n)*card"),
        ("Absent", "cannot be imported(.|\n)*Absent"),
        ("unimportable", "cannot be imported(.|\n)*no_such_framework"),
        ("misspelt", "cannot be imported(.|\n)*SyntaxError"),
    ],
)
def test_a_broken_predictor_is_named_with_the_package_that_offers_it(
    backend: str, said: str, broken: str
) -> None:
    with pytest.raises(PredictorUnavailableError, match=said) as refused:
        open_predictor(backend, request())
    assert f"the package {broken}" in str(refused.value)
    assert "pip install" not in str(refused.value)


def test_for_a_backend_of_ptyruns_own_the_extra_that_brings_its_framework_is_named() -> None:
    own = EntryPoint("tf", "ptyrun.backends.tf:TensorFlowPredictor", ENTRY_POINTS)
    theirs = EntryPoint("tf", "lattice_tools:Predictor", ENTRY_POINTS)
    assert how_to_mend(own) == "pip install 'ptyrun[tf]'"
    assert how_to_mend(theirs) == "install or reinstall the package that offers it"


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"patch_px": 16}, "64 px, not 16"), ({"patch_px": 64, "gridsize": 1}, "gridsize")],
)
def test_a_model_for_other_shapes_is_refused(asked: dict[str, Any], said: str) -> None:
    model = ModelFile(Path("model.bin"), "another", ModelKind.OTHER, patch_px=64, gridsize=2)
    with pytest.raises(ModelError, match=said):
        check_request(model, request(**asked))


def test_a_model_that_says_nothing_is_tried() -> None:
    model = ModelFile(Path("model.bin"), "another", ModelKind.OTHER)
    assert check_request(model, request()).patch_px is None


def test_predictors_are_asked_for_without_importing_a_framework() -> None:
    code = (
        "import sys, ptyrun.models.predictors, ptyrun.models.halving\n"
        "print([name for name in ('torch', 'tensorflow', 'keras', 'zarr') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
