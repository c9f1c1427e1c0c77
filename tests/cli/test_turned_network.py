"""A network whose patches are turned is named before most of the work, and in the results."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.scans import PATCH_PX, scan_arrays, small_object, write_scan
from tests.studies import ptyrun


class Memory(torch.nn.Module):
    """Knows the patch of each frame of the scan by heart."""

    def __init__(self, frames: torch.Tensor, patches: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("frames", frames)
        self.register_buffer("patches", patches)

    def forward(self, diffraction: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        assert isinstance(self.frames, torch.Tensor)
        assert isinstance(self.patches, torch.Tensor)
        seen = diffraction.flatten(1)
        which = (seen @ self.frames.T).argmax(dim=1)
        return self.patches[which] + 0 * offsets.sum()


def write_memory(folder: Path, turn: str) -> Path:
    """A TorchScript network that gives amplitude and phase, turned."""
    arrays = scan_arrays()
    frames = arrays["diffraction"].reshape(len(arrays["diffraction"]), -1)
    frames = frames / np.linalg.norm(frames, axis=1, keepdims=True)
    corners = np.stack([arrays["ycoords"], arrays["xcoords"]], 1).astype(int) - PATCH_PX // 2
    image = small_object()
    patches = np.stack([image[y : y + PATCH_PX, x : x + PATCH_PX] for y, x in corners])
    if turn == "conjugated":
        patches = patches.conj()
    elif turn == "transposed":
        patches = patches.transpose(0, 2, 1)
    both = np.stack([np.abs(patches), np.angle(patches)], axis=1).astype(np.float32)
    folder.mkdir(parents=True)
    network = Memory(torch.from_numpy(frames.astype(np.float32)), torch.from_numpy(both))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(network.eval()).save(folder / "model.ts")
    card = {"schema": 1, "backend": "pytorch", "file": "model.ts", "patch_px": PATCH_PX}
    (folder / "model.json").write_text(json.dumps({**card, "gridsize": 1}))
    return folder


@pytest.mark.parametrize("turn", ["as it is", "conjugated", "transposed"])
def test_a_network_that_turns_its_patches_is_named(turn: str, tmp_path: Path) -> None:
    words = [
        "compare",
        f"--test_data={write_scan(tmp_path / 'scan.npz')}",
        f"--baseline_dir={write_memory(tmp_path / 'net', turn)}",
        "--baseline-chunk-size=16",
        "--trust-model=baseline",
        f"--output_dir={tmp_path / 'run'}",
    ]
    early = ptyrun(*words, "--max-chunks=1")
    named = f"explain the frames better {turn}"
    assert (named in early.stderr) == (turn != "as it is"), early.stderr
    assert ptyrun(*words).returncode == 0
    arm = json.loads((tmp_path / "run" / "results.json").read_text())["arms"]["baseline"]
    assert (arm["mismatch"] is None) == (turn == "as it is")
    assert turn == "as it is" or named in arm["mismatch"]
