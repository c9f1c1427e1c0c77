from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ptyrun.backends.pytorch import PyTorchPredictor
from ptyrun.errors import ModelError
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.kinds import ModelKind
from ptyrun.models.predictors import ModelRequest
from ptyrun.models.synthetic_groups import synthetic_groups
from tests.backends.torch_nets import N, Network, WithoutOffsets, example, saved, torch_bundle

FACTORY = {"factory": "tests.backends.torch_nets:Network"}


def request(path: Path, **options: str) -> ModelRequest:
    return ModelRequest(path, N, 2, 4, options, trusted=True)


def wanted(network: torch.nn.Module) -> np.ndarray[Any, Any]:
    diffraction, offsets = synthetic_groups(4, N, 2)
    given = [torch.tensor(np.moveaxis(diffraction, -1, 1))]
    given.append(torch.tensor(np.moveaxis(offsets[:, 0], 1, -1)))
    with torch.inference_mode():
        return network(*given[: 1 + isinstance(network, Network)]).numpy()


def patches(path: Path, **options: str) -> np.ndarray[Any, Any]:
    return PyTorchPredictor.open(request(path, **options)).predict(*synthetic_groups(4, N, 2))


class Wide(torch.nn.Module):
    """A network of any width, whose output is real, as there are no complex halves of 16 bits."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = WithoutOffsets().first

    def forward(self, diffraction: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = self.inner(diffraction)
        return torch.sigmoid(seen[:, :1]), torch.tanh(seen[:, 1:])


def make_double() -> torch.nn.Module:
    return Wide().double()


@pytest.mark.parametrize("name", ["net.ts", pytest.param("net.pt2", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("dtype", "atol"),
    [
        (torch.float64, 1e-5),
        pytest.param(torch.float16, 5e-3, marks=pytest.mark.slow),
        pytest.param(torch.bfloat16, 5e-2, marks=pytest.mark.slow),
    ],
)
def test_a_network_gets_numbers_as_wide_as_its_own(
    tmp_path: Path, name: str, dtype: torch.dtype, atol: float
) -> None:
    network = Wide().to(dtype).eval()
    if name == "net.pt2":
        given = (torch.rand(4, 4, N, N, dtype=dtype),)
        torch.export.save(torch.export.export(network, given), tmp_path / name)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(network).save(str(tmp_path / name))
    found = patches(tmp_path / name)
    np.testing.assert_allclose(found, wanted(WithoutOffsets()), rtol=0, atol=atol)


def test_a_factory_may_make_a_network_of_doubles(tmp_path: Path) -> None:
    torch.save(Wide().half().state_dict(), tmp_path / "net.pth")
    found = patches(tmp_path / "net.pth", factory="tests.backends.test_pytorch_formats:make_double")
    np.testing.assert_allclose(found, wanted(WithoutOffsets()), rtol=0, atol=5e-3)


def test_a_program_that_takes_integers_is_refused_when_it_is_looked_at(tmp_path: Path) -> None:
    class Counts(torch.nn.Module):
        def forward(self, counts: torch.Tensor) -> torch.Tensor:
            return torch.complex(counts[:, 0].float(), counts[:, 1].float())

    given = (torch.ones(4, 4, N, N, dtype=torch.int32),)
    torch.export.save(torch.export.export(Counts(), given), tmp_path / "net.pt2")
    with pytest.raises(ModelError, match="takes int32 as its input counts"):
        inspect(locate(tmp_path / "net.pt2"))


class Swapped(Network):
    """Offsets first."""

    def forward(self, positions: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        return super().forward(frames, positions)


@pytest.mark.parametrize("name", ["net.ts", "net.pth"])
def test_inputs_are_told_apart_by_their_names(tmp_path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if name == "net.ts":
            given = example(Network(), 2, 4)[::-1]
            torch.jit.trace(Swapped().eval(), given).save(str(tmp_path / name))
        else:
            saved(Swapped(), tmp_path / name)
    factory = {"factory": "tests.backends.test_pytorch_formats:Swapped"}
    found = patches(tmp_path / name, **factory)
    np.testing.assert_allclose(found, wanted(Network()), rtol=0, atol=1e-5)


def old_layout(network: torch.nn.Module, path: Path) -> Path:
    """A program as PyTorch 2.6 and 2.7 write it."""
    from torch._export.serde import schema, serialize

    program = torch.export.export(network.eval(), example(network, 2, 4))
    parts = serialize.serialize(program)
    members: dict[str, Any] = {
        "version": ".".join(map(str, schema.SCHEMA_VERSION)),
        "serialized_exported_program.json": parts.exported_program,
        "serialized_state_dict.pt": parts.state_dict,
        "serialized_constants.pt": parts.constants,
        "serialized_example_inputs.pt": parts.example_inputs,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_program_in_the_layout_before_pytorch_2_8_is_read(tmp_path: Path) -> None:
    path = old_layout(WithoutOffsets(), tmp_path / "net.pt2")
    card = inspect(locate(path))
    assert (card.patch_px, card.gridsize, card.batch_items) == (N, 2, 4)
    np.testing.assert_allclose(patches(path), wanted(WithoutOffsets()), rtol=0, atol=1e-5)


def test_pytorchs_files_are_told_by_their_content(tmp_path: Path) -> None:
    for name, kind in {"a.pth": "ts", "b.pt": "pth", "c.pt": "ts", "d.pt": "pt2"}.items():
        saved(Network(), tmp_path / f"net.{kind}")
        os.replace(tmp_path / f"net.{kind}", tmp_path / name)  # noqa: PTH105
    torch.save(Network().state_dict(), tmp_path / "e.pt", _use_new_zipfile_serialization=False)
    assert [locate(tmp_path / name).kind for name in ("a.pth", "b.pt", "c.pt", "d.pt", "e.pt")] == [
        ModelKind.TORCHSCRIPT,
        ModelKind.STATE_DICT,
        ModelKind.TORCHSCRIPT,
        ModelKind.EXPORTED,
        ModelKind.STATE_DICT,
    ]
    found = patches(tmp_path / "b.pt", **FACTORY)
    np.testing.assert_allclose(found, wanted(Network()), rtol=0, atol=1e-5)


class Whole(torch.nn.Linear):
    """What a training script saves with its code."""


@pytest.mark.parametrize("is_archive", [True, False])
def test_a_whole_network_is_refused_when_it_is_looked_at(tmp_path: Path, is_archive: bool) -> None:
    path = tmp_path / "net.pt"
    torch.save(Whole(2, 2), path, _use_new_zipfile_serialization=is_archive)
    with pytest.raises(ModelError, match="holds a whole network, not its weights") as refused:
        inspect(locate(path))
    assert "test_pytorch_formats.Whole" in refused.value.why
    for content in (Whole(2, 2).state_dict(), {"model": Whole(2, 2).state_dict(), "epoch": 1}):
        torch.save(content, path, _use_new_zipfile_serialization=is_archive)
        assert inspect(locate(path)).description == ModelKind.STATE_DICT


def test_safetensors_are_filled_into_the_factorys_network(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {f"model.{key}": each.bfloat16() for key, each in Network().state_dict().items()}
    save_file(state, tmp_path / "net.safetensors")
    found = patches(tmp_path / "net.safetensors", **FACTORY)
    np.testing.assert_allclose(found, wanted(Network()), rtol=0, atol=5e-2)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, (9).to_bytes(8, "little") + b"{nothing}"])
def test_what_is_no_safetensors_file_is_refused_when_it_is_looked_at(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "net.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"net\.safetensors cannot be read"):
        inspect(locate(tmp_path / "net.safetensors"))


def test_an_upstream_bundle_of_pytorch_weights_is_filled_into_the_factorys_network(
    tmp_path: Path,
) -> None:
    state = {f"model.{key}": each for key, each in Network().state_dict().items()}
    path = torch_bundle(tmp_path / "wts.h5.zip", state, N=N, gridsize=2)
    card = inspect(locate(tmp_path))
    assert (card.patch_px, card.gridsize) == (N, 2)
    found = patches(path, **FACTORY)
    np.testing.assert_allclose(found, wanted(Network()), rtol=0, atol=1e-5)
    with pytest.raises(ModelError, match="weights without a network"):
        PyTorchPredictor.open(request(path))


def test_an_amplitude_that_is_negative_is_doubted(tmp_path: Path) -> None:
    class Parts(torch.nn.Module):
        def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
            return torch.stack([-diffraction[:, 0] - 1, diffraction[:, 1]], 1)

    given = (torch.rand(4, 4, N, N),)
    torch.export.save(torch.export.export(Parts(), given), tmp_path / "net.pt2")
    (_, doubt) = PyTorchPredictor.open(request(tmp_path / "net.pt2")).card.notes
    assert doubt.startswith("its amplitude is negative in 100% of a trial's pixels")
