from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.backends.onnx import OnnxPredictor
from ptyrun.errors import ModelError
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.predictors import ModelRequest
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.testing import PredictorContract
from tests.onnx_nets import N, Net


def request(path: Path, batch_items: int = 4, **more: Any) -> ModelRequest:
    return ModelRequest(path, N, 2, batch_items, **more)


def opened(net: Net, folder: Path) -> OnnxPredictor:
    return OnnxPredictor.open(request(net.saved(folder / "net.onnx")))


class TestOnnxPredictor(PredictorContract):
    predictor = OnnxPredictor

    @pytest.fixture
    def model_request(self, tmp_path: Path) -> ModelRequest:
        return request(Net().saved(tmp_path / "net.onnx"))

    @pytest.fixture
    def too_large_request(self, model_request: ModelRequest, tmp_path: Path) -> ModelRequest:
        """A batch of which the features alone take 32 GiB."""
        return request(Net(takes_offsets=False).saved(tmp_path / "large.onnx"), 1 << 24)


@pytest.mark.parametrize(
    ("more", "atol"),
    [
        ({}, 1e-5),
        ({"last": True}, 1e-5),
        ({"takes_offsets": False}, 1e-5),
        ({"batch": 4}, 1e-5),
        ({"px": "side"}, 1e-5),
        ({"px": "side", "last": True}, 1e-5),
        ({"channels": "members"}, 1e-5),
        ({"outputs": ["amplitude_phase"]}, 1e-5),
        ({"outputs": ["amplitude_phase"], "last": True}, 1e-5),
        ({"dtype": "float64"}, 1e-5),
        ({"dtype": "float16"}, 2e-2),
        ({"outside": "net.onnx.data"}, 1e-5),
    ],
    ids=str,
)
def test_patches_are_the_networks_own(tmp_path: Path, more: dict[str, Any], atol: float) -> None:
    net = Net(**more)
    predictor = opened(net, tmp_path)
    given = synthetic_groups(4, N, 2)
    np.testing.assert_allclose(predictor.predict(*given), net.patches(*given), rtol=0, atol=atol)
    card = predictor.card
    assert (card.patch_px, card.gridsize) in ((N, 2), (None, 2), (N, None))
    assert card.takes_offsets is more.get("takes_offsets", True)


def test_outputs_are_matched_by_name_and_not_by_order(tmp_path: Path) -> None:
    net = Net(outputs=["phase", "amplitude"], activated=False)
    given = synthetic_groups(4, N, 2)
    second, first = np.moveaxis(net.features(*given), 1, 0)
    patches = opened(net, tmp_path).predict(*given)
    np.testing.assert_allclose(patches, first * np.exp(1j * second), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "outputs", [["real", "imag"], ["real_imag"], ["phase_left", "phase_right"]]
)
def test_outputs_whose_names_say_something_else_are_refused(
    tmp_path: Path, outputs: list[str]
) -> None:
    with pytest.raises(ModelError, match=outputs[0]):
        opened(Net(outputs=outputs), tmp_path)


def test_an_amplitude_that_is_negative_is_doubted(tmp_path: Path) -> None:
    assert opened(Net(), tmp_path).card.notes == ()
    (doubt,) = opened(Net(outputs=["one"], sign=-1), tmp_path).card.notes
    assert "negative in" in doubt


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"dtype": "uint8"}, "takes uint8 as its input diffraction"),
        ({"names": ("a", "b"), "shapeless": True}, "which inputs of net.onnx"),
        ({"names": ("diffraction", "probe"), "shapeless": True}, "input called probe"),
        ({"shapeless": True}, "where net.onnx has its channels"),
        ({"channels": 9}, "made for gridsize 3, not 2"),
    ],
    ids=str,
)
def test_a_network_of_other_inputs_is_refused(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    path = tmp_path / "net.onnx"
    Net(**more).saved(path)
    with pytest.raises(ModelError, match=said):
        OnnxPredictor.open(request(path))


def test_a_model_needs_no_trust_and_says_its_shapes(tmp_path: Path) -> None:
    path = Net().saved(tmp_path / "net.onnx")
    assert OnnxPredictor.open(request(path, trusted=False)).batch_items == 4
    card = inspect(locate(path))
    assert (card.patch_px, card.gridsize, card.takes_offsets) == (N, 2, True)


def test_a_model_of_other_shapes_is_refused_before_the_runtime_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from ptyrun.models.cards import inspect; from ptyrun.models.files import locate\n"
        "card = inspect(locate(Path(sys.argv[1])))\n"
        "print(card.patch_px, card.gridsize, 'onnxruntime' in sys.modules)"
    )
    path = Net(channels=9).saved(tmp_path / "net.onnx")
    words = [sys.executable, "-c", code, str(path)]
    said = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ)
    assert said.stdout == f"{N} 3 False\n"
