from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ptyrun.backends.pytorch import PyTorchPredictor
from ptyrun.errors import ModelError
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.predictors import (
    ModelRequest,
    PredictorOutOfMemoryError,
    check_output,
    open_predictor,
)
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.testing import PredictorContract
from tests.backends import torch_nets
from tests.backends.torch_nets import N, Network, saved
from tests.model_files import same_rows

CLOSE: dict[str, Any] = {"rtol": 0, "atol": 1e-5}
FORMATS = ["net.ts", "net.pt2", "net.pth"]


def request(path: Path, gridsize: int = 2, batch_items: int = 4, **options: str) -> ModelRequest:
    return ModelRequest(path, N, gridsize, batch_items, options, trusted=True)


def factory(kind: type[torch.nn.Module]) -> dict[str, Any]:
    return {"factory": f"{kind.__module__}:{kind.__name__}"}


def layout(diffraction: np.ndarray, offsets: np.ndarray) -> list[torch.Tensor]:
    """The documented inputs: (B, C, N, N) and (B, C, 2) with [x, y] last."""
    return [
        torch.tensor(np.moveaxis(diffraction, -1, 1)),
        torch.tensor(np.moveaxis(offsets[:, 0], 1, -1)),
    ]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", [Network, torch_nets.WithoutOffsets])
def test_every_format_gives_the_networks_own_patches(
    tmp_path: Path, name: str, kind: type[torch.nn.Module]
) -> None:
    network = kind()
    path = saved(network, tmp_path / name)
    predictor = PyTorchPredictor.open(request(path, **factory(kind)))
    diffraction, offsets = synthetic_groups(4, N, 2)
    takes_offsets = kind is Network
    with torch.inference_mode():
        wanted = network(*layout(diffraction, offsets)[: 1 + takes_offsets]).numpy()
    patches = predictor.predict(diffraction, offsets)
    check_output(patches, 4, N)
    np.testing.assert_allclose(patches, wanted, **CLOSE)
    assert predictor.card.takes_offsets is takes_offsets
    assert (predictor.batch_items, predictor.card.notes) == (4, ())


def test_a_group_of_one_pattern_is_never_shifted(tmp_path: Path) -> None:
    path = saved(Network(gridsize=1), tmp_path / "net.pt2", gridsize=1)
    predictor = PyTorchPredictor.open(request(path, gridsize=1))
    diffraction, offsets = synthetic_groups(4, N, 1)
    far = predictor.predict(diffraction, offsets + np.float32(50))
    assert np.array_equal(far, predictor.predict(diffraction, offsets * 0))


@pytest.mark.parametrize("name", FORMATS)
def test_a_patch_has_the_same_bits_whatever_lies_in_the_other_rows(
    tmp_path: Path, name: str
) -> None:
    predictor = PyTorchPredictor.open(
        request(saved(Network(), tmp_path / name), batch_items=8, **factory(Network))
    )
    diffraction, offsets = synthetic_groups(24, N, 2)

    def patches(order: np.ndarray) -> np.ndarray:
        batches = order.reshape(3, 8)
        return np.concatenate([predictor.predict(diffraction[b], offsets[b]) for b in batches])

    order = same_rows(24, 8)
    assert np.array_equal(patches(order), patches(np.arange(24))[order])


@pytest.mark.parametrize("kind", [torch_nets.TwoChannels, torch_nets.TwoOutputs])
def test_real_outputs_are_amplitude_and_phase(tmp_path: Path, kind: type[torch.nn.Module]) -> None:
    network = kind()
    predictor = PyTorchPredictor.open(request(saved(network, tmp_path / "net.pt2")))
    given = synthetic_groups(4, N, 2)
    with torch.inference_mode():
        features = torch_nets.TwoChannels()(layout(*given)[0]).numpy()
    wanted = features[:, 0] * np.exp(1j * features[:, 1])
    np.testing.assert_allclose(predictor.predict(*given), wanted, **CLOSE)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (torch_nets.PhaseFirst, "net.ts"),
        (torch_nets.PhaseFirst, "net.pt2"),
        (torch_nets.NamedTupleOutput, "net.ts"),
    ],
)
def test_named_outputs_are_matched_by_name_and_not_by_order(
    tmp_path: Path, kind: type[torch.nn.Module], name: str
) -> None:
    predictor = PyTorchPredictor.open(request(saved(kind(), tmp_path / name)))
    given = synthetic_groups(4, N, 2)
    with torch.inference_mode():
        features = torch_nets.TwoChannels()(layout(*given)[0]).numpy()
    wanted = features[:, 0] * np.exp(1j * features[:, 1])
    np.testing.assert_allclose(predictor.predict(*given), wanted, **CLOSE)


@pytest.mark.parametrize("name", ["net.ts", "net.pt2"])
def test_outputs_named_real_and_imag_are_refused_by_name(tmp_path: Path, name: str) -> None:
    path = saved(torch_nets.RealAndImaginary(), tmp_path / name)
    with pytest.raises(ModelError, match=r"named real, imag\n.*'phase'"):
        PyTorchPredictor.open(request(path))


def test_a_network_with_one_patch_per_member_is_refused_by_its_shapes(tmp_path: Path) -> None:
    path = saved(torch_nets.FourPatches(), tmp_path / "net.pt2")
    with pytest.raises(ModelError, match=r"\(1, 4, 16, 16\) complex"):
        PyTorchPredictor.open(request(path))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (torch_nets.OneCanvas, r"\(1, 16, 16\)"),
        (torch_nets.SharedNormalisation, "another patch than alone"),
    ],
)
def test_a_network_that_mixes_groups_gets_a_safe_batch_and_a_note(
    tmp_path: Path, kind: type[torch.nn.Module], said: str
) -> None:
    predictor = PyTorchPredictor.open(request(saved(kind(), tmp_path / "net.ts"), batch_items=8))
    assert predictor.batch_items == 1
    (note,) = predictor.card.notes
    assert note.startswith("predicts 1 group at once, not 8")
    check_output(predictor.predict(*synthetic_groups(1, N, 2)), 1, N)


def test_a_program_of_one_batch_size_is_used_with_that(tmp_path: Path) -> None:
    path = saved(Network(), tmp_path / "net.pt2", batch=3)
    assert inspect(locate(path)).batch_items == 3
    predictor = PyTorchPredictor.open(request(path, batch_items=8))
    assert predictor.batch_items == 3
    check_output(predictor.predict(*synthetic_groups(3, N, 2)), 3, N)


def test_a_program_of_one_batch_size_that_mixes_groups_is_refused(tmp_path: Path) -> None:
    path = saved(torch_nets.SharedNormalisation(), tmp_path / "net.pt2", batch=3)
    with pytest.raises(ModelError, match="depends on the others"):
        PyTorchPredictor.open(request(path))


@pytest.mark.parametrize("asked", [4, 8])
def test_torchscript_that_fails_alone_is_used_at_the_batch_it_was_made_for(
    tmp_path: Path, asked: int
) -> None:
    path = saved(torch_nets.FourAtOnce(), tmp_path / "net.ts")
    predictor = PyTorchPredictor.open(request(path, batch_items=asked))
    assert predictor.batch_items == 4
    assert predictor.card.notes == ("takes batches of 4, and no single groups",)
    check_output(predictor.predict(*synthetic_groups(4, N, 2)), 4, N)


def test_torchscript_asked_for_no_batch_that_it_takes_says_what_to_ask(tmp_path: Path) -> None:
    path = saved(torch_nets.FourAtOnce(), tmp_path / "net.ts")
    with pytest.raises(ModelError, match=r"at 1 group.*\n.*ask for the batch it was made for"):
        PyTorchPredictor.open(request(path, batch_items=6))


def test_torchscript_that_fails_alone_and_mixes_groups_is_refused(tmp_path: Path) -> None:
    path = saved(torch_nets.FourMixed(), tmp_path / "net.ts")
    with pytest.raises(ModelError, match="depends on the others"):
        PyTorchPredictor.open(request(path))


@pytest.mark.parametrize("kind", [torch_nets.DropoutLeftOn, torch_nets.Counter])
@pytest.mark.parametrize("asked", [1, 4])
def test_a_network_that_does_not_repeat_its_patches_is_refused(
    tmp_path: Path, kind: type[torch.nn.Module], asked: int
) -> None:
    path = saved(kind(), tmp_path / "net.ts")
    with pytest.raises(ModelError, match=r"different patches for the same(.*\n)+.*evaluation"):
        PyTorchPredictor.open(request(path, batch_items=asked))


def test_a_program_of_one_batch_size_that_does_not_repeat_its_patches_is_refused(
    tmp_path: Path,
) -> None:
    path = saved(torch_nets.DropoutLeftOn(), tmp_path / "net.pt2", batch=3)
    with pytest.raises(ModelError, match="different patches for the same input"):
        PyTorchPredictor.open(request(path))


@pytest.mark.parametrize(("name", "batch"), [("net.ts", None), ("net.pt2", 3)])
def test_patches_of_another_size_are_told_as_such(
    tmp_path: Path, name: str, batch: int | None
) -> None:
    path = saved(torch_nets.HalfSize(), tmp_path / name, batch=batch)
    with pytest.raises(ModelError, match=r"gives patches of 8 x 8 pixels\n.*16 x 16"):
        PyTorchPredictor.open(request(path))


def test_running_out_of_memory_is_told_as_such(tmp_path: Path) -> None:
    path = saved(torch_nets.Hungry(), tmp_path / "net.ts")
    with pytest.raises(PredictorOutOfMemoryError, match="PyTorch ran out of memory at 1 group"):
        PyTorchPredictor.open(request(path))


@pytest.mark.parametrize("given", [{}, {"factory": "nothing"}])
def test_a_state_dict_needs_a_factory(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="factory=module:callable"):
        PyTorchPredictor.open(request(saved(Network(), tmp_path / "net.pth"), **given))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:make", "ModuleNotFoundError"),
        ("tests.backends.torch_nets:no_such", "AttributeError"),
        ("pathlib:Path", "gave a PosixPath"),
        ("tests.backends.torch_nets:Hungry", "first"),
    ],
)
def test_a_wrong_factory_is_named(tmp_path: Path, name: str, said: str) -> None:
    network = torch.nn.Linear(3, 3) if said == "first" else Network()
    with pytest.raises(ModelError, match=said):
        PyTorchPredictor.open(request(saved(network, tmp_path / "net.pth"), factory=name))


def test_a_state_dict_inside_a_training_checkpoint_is_found(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"state_dict": Network().state_dict(), "epoch": 3}, path)
    check_output(
        PyTorchPredictor.open(request(path, **factory(Network))).predict(
            *synthetic_groups(4, N, 2)
        ),
        4,
        N,
    )


def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (ran,)

    path = tmp_path / "net.pth"
    torch.save({"first.weight": Hostile()}, path)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile()))
    for name in ("net.pth", "plain.pth"):
        with pytest.raises(ModelError):
            PyTorchPredictor.open(request(tmp_path / name, **factory(Network)))
    assert not ran.exists()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", [b"", b"nothing", os.urandom(4096)])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError):
        PyTorchPredictor.open(request(tmp_path / name, **factory(Network)))


@pytest.mark.parametrize("asked", [(N * 2, 2), (N, 1)])
def test_a_program_for_other_shapes_is_refused_before_pytorch_is_imported(
    tmp_path: Path, asked: tuple[int, int]
) -> None:
    path = saved(Network(), tmp_path / "net.pt2")
    code = (
        "import sys; from pathlib import Path\n"
        "from ptyrun.predictors import ModelRequest, check_request, locate\n"
        "from ptyrun.errors import ModelError\n"
        f"path = Path({str(path)!r})\n"
        "try:\n"
        f"    check_request(locate(path), ModelRequest(path, *{asked}, 4, trusted=True))\n"
        "except ModelError as error:\n"
        "    print(error.what, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "is made for" in said.stdout
    assert said.stdout.strip().endswith("False")


class WritesFiles(torch.nn.Module):
    """Saves what it is given."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        torch.save(diffraction, self.path)
        return torch.complex(diffraction[:, 0], diffraction[:, 1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_not_run_unless_it_is_trusted(tmp_path: Path) -> None:
    torch.jit.script(WritesFiles(tmp_path / "it-ran")).save(str(tmp_path / "net.ts"))
    trusted = request(tmp_path / "net.ts")
    with pytest.raises(ModelError, match=r"is a program(.|\n)*--trust-model"):
        PyTorchPredictor.open(replace(trusted, trusted=False))
    assert not (tmp_path / "it-ran").exists()
    PyTorchPredictor.open(trusted)
    assert (tmp_path / "it-ran").exists()


def test_an_exported_program_is_refused_unless_it_is_trusted(tmp_path: Path) -> None:
    path = saved(Network(), tmp_path / "net.pt2")
    with pytest.raises(ModelError, match=r"is a program(.|\n)*--trust-model"):
        PyTorchPredictor.open(replace(request(path), trusted=False))


def test_torchscript_for_other_channels_is_refused_when_opened(tmp_path: Path) -> None:
    path = saved(Network(gridsize=3), tmp_path / "net.ts", gridsize=3)
    with pytest.raises(ModelError, match="have 9 channels, but got 4"):
        PyTorchPredictor.open(request(path))


def test_the_entry_point_gives_this_predictor(tmp_path: Path) -> None:
    path = saved(Network(), tmp_path / "net.pt2")
    assert isinstance(open_predictor("pytorch", request(path)), PyTorchPredictor)


class TestContract(PredictorContract):
    predictor = PyTorchPredictor

    @pytest.fixture
    def model_request(self, tmp_path: Path) -> ModelRequest:
        return request(saved(Network(), tmp_path / "net.ts"))

    @pytest.fixture
    def too_large_request(self, tmp_path: Path) -> ModelRequest:
        return request(saved(torch_nets.Hungry(), tmp_path / "net.ts"))
