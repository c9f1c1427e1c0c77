from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ptyrun.errors import ModelError, PredictionError, UnknownPredictorError
from ptyrun.modelfiles import ModelFile, ModelKind
from ptyrun.predictors import check_output, check_request, open_predictor
from tests.models import request


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


def test_an_unknown_backend_is_named_with_those_installed() -> None:
    with pytest.raises(UnknownPredictorError, match=r"'theano'(.|\n)*pytorch, tf"):
        open_predictor("theano", request())


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"patch_px": 16}, "64 px, not 16"), ({"patch_px": 64, "gridsize": 1}, "gridsize")],
)
def test_a_model_for_other_shapes_is_refused(asked: dict[str, int], said: str) -> None:
    model = ModelFile(Path("model.bin"), "pytorch", ModelKind.OTHER, patch_px=64, gridsize=2)
    with pytest.raises(ModelError, match=said):
        check_request(model, request(**asked))


def test_a_model_that_says_nothing_is_tried() -> None:
    model = ModelFile(Path("model.bin"), "pytorch", ModelKind.OTHER)
    assert check_request(model, request()).patch_px is None


def test_predictors_are_asked_for_without_importing_a_framework() -> None:
    code = (
        "import sys, ptyrun.predictors, ptyrun.halving\n"
        "print([name for name in ('torch', 'tensorflow', 'keras', 'zarr') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
