from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch

from ptyrun.backends.exported_programs import check_exported
from ptyrun.errors import ModelError
from tests.backends.torch_nets import Network, saved


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(Network(), tmp_path_factory.mktemp("exported") / "net.pt2")


def changed(source: Path, target: Path, ending: str, change: Callable[[Any], object]) -> Path:
    """Copy an archive, changing the JSON of the member that ends so."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(ending):
                document = json.loads(data)
                change(document)
                data = json.dumps(document).encode()
            new.writestr(name, data)
    return target


def with_member(source: Path, target: Path, name: str, data: bytes) -> Path:
    """Copy an archive, replacing or adding one member."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        root = old.namelist()[0].split("/")[0]
        for member in old.namelist():
            if member != f"{root}/{name}":
                new.writestr(member, old.read(member))
        new.writestr(f"{root}/{name}", data)
    return target


def everywhere(key: str, value: object) -> Callable[[Any], None]:
    """Set a key wherever it occurs."""

    def change(document: Any) -> None:
        if isinstance(document, list):
            for entry in document:
                change(entry)
        elif isinstance(document, dict):
            for name in document:
                if name == key:
                    document[name] = value
                else:
                    change(document[name])

    return change


def test_an_ordinary_program_passes(exported: Path) -> None:
    check_exported(exported)


def test_a_program_with_two_free_axes_passes(tmp_path: Path) -> None:
    class Free(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.pad(x, (0, 0, 3 * x.shape[2], 1))[:, 0]

    side = torch.export.Dim("side", min=4, max=64)
    free = [{0: torch.export.Dim("batch"), 2: side}]
    program = torch.export.export(Free(), (torch.rand(3, 1, 8, 8),), dynamic_shapes=free)
    torch.export.save(program, tmp_path / "net.pt2")
    check_exported(tmp_path / "net.pt2")


@pytest.mark.parametrize(
    ("ending", "change", "said"),
    [
        (
            "models/model.json",
            everywhere("expr_str", "__import__('os').system('true')"),
            "not arithmetic",
        ),
        ("models/model.json", everywhere("expr_str", "().__class__"), "not arithmetic"),
        ("models/model.json", everywhere("expr_str", "Symbol('s0'"), "not arithmetic"),
        ("models/model.json", everywhere("expr_str", "exit"), "not arithmetic"),
        ("models/model.json", everywhere("target", "torch.hub.load"), "not one of PyTorch's own"),
        ("models/model.json", everywhere("target", "#os:system"), "not one of PyTorch's own"),
        (
            "models/model.json",
            everywhere(
                "in_spec",
                '[1, {"type": "collections.defaultdict", "context": "{}", "children_spec": []}]',
            ),
            "foreign types",
        ),
        (
            "models/model.json",
            everywhere(
                "out_spec",
                '[1, {"type": "builtins.dict", "context": "[{\\"__enum__\\": 1}]",'
                ' "children_spec": []}]',
            ),
            "foreign types",
        ),
        ("models/model.json", everywhere("in_spec", "nonsense"), "malformed"),
        ("model_weights_config.json", everywhere("use_pickle", True), "is pickled"),
        ("model_weights_config.json", everywhere("path_name", "opaque_obj_0"), "not a tensor"),
        ("model_weights_config.json", lambda document: document.clear(), "malformed"),
    ],
)
def test_a_program_that_loading_would_run_is_refused(
    exported: Path, tmp_path: Path, ending: str, change: Callable[[Any], object], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        check_exported(changed(exported, tmp_path / "net.pt2", ending, change))


def test_sample_inputs_that_hold_more_than_tensors_are_refused(
    exported: Path, tmp_path: Path
) -> None:
    buffer = BytesIO()
    torch.save({"hostile": Path("/")}, buffer)
    path = with_member(
        exported, tmp_path / "net.pt2", "data/sample_inputs/model.pt", buffer.getvalue()
    )
    with pytest.raises(ModelError, match="more than tensors"):
        check_exported(path)


@pytest.mark.parametrize(
    "name",
    [
        "data/aotinductor/model/model.so",
        "data/weights/model.pt",
        "data/constants/custom_obj_0",
        "models/other.json",
    ],
)
def test_members_that_a_plain_program_does_not_have_are_refused(
    exported: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ModelError, match=f"entry [^ ]*{name}"):
        check_exported(with_member(exported, tmp_path / "net.pt2", name, b""))
