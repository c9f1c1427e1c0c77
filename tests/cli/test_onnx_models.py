"""A comparison of an ONNX model, whose weights lie in a file beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptyrun.errors import ExitCode
from tests.commands import ptyrun
from tests.onnx_nets import Net
from tests.scans import write_scan

PX = 32


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    Net(px=PX, outside="net.onnx.data").saved(tmp_path / "net.onnx")
    scan = write_scan(tmp_path / "scan.npz")
    arm = f"name=net,path={tmp_path / 'net.onnx'},batch=4,chunk=8"
    return [f"--arm={arm}", f"--test_data={scan}", f"--output_dir={tmp_path / 'run'}"]


def test_a_run_is_refused_when_weights_beside_its_model_changed(
    words: list[str], tmp_path: Path
) -> None:
    first = ptyrun("compare", *words, "--max-chunks", "1")
    assert first.returncode == ExitCode.INCOMPLETE, first.stderr
    data = np.fromfile(tmp_path / "net.onnx.data", np.float32)
    (data * 2).tofile(tmp_path / "net.onnx.data")
    again = ptyrun("compare", *words)
    assert again.returncode == ExitCode.USAGE
    assert "weights_beside.net.onnx.data" in again.stderr
    session = ptyrun("run", str(tmp_path / "run"))
    assert "net.onnx.data" in session.stderr and "changed" in session.stderr
    data.tofile(tmp_path / "net.onnx.data")
    assert ptyrun("compare", *words, "--max-chunks", "1").returncode == ExitCode.INCOMPLETE


@pytest.mark.slow
def test_a_process_of_its_own_reads_the_weights_beside_the_model(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTYRUN_INLINE", "0")
    said = ptyrun("compare", *words)
    assert said.returncode == ExitCode.COMPLETE, said.stderr


@pytest.mark.parametrize("name", ["net.onnx", "net.safetensors", "net.ckpt", "net.ts", "net.keras"])
def test_a_card_that_names_a_backend_which_does_not_read_the_file_is_refused_once(
    words: list[str], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "carded"
    folder.mkdir()
    (folder / name).write_bytes(b"content")
    backend = "tf" if name != "net.keras" else "pytorch"
    (folder / "model.json").write_text(
        f'{{"schema": 1, "backend": "{backend}", "file": "{name}", "patch_px": 32, "gridsize": 1}}'
    )
    for command in ("compare", "plan"):
        said = ptyrun(command, *words[1:], f"--arm=name=net,path={folder}")
        assert said.returncode == ExitCode.USAGE
        assert f"the backend {backend} does not read {name}" in said.stderr
    assert not (tmp_path / "run").exists()
