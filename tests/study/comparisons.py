"""A tiny study with toy networks and ready reconstructions, down to its comparisons."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.scans import small_object, small_probe, write_network, write_reconstruction

N_IMAGES = 80
TRUST = ("--trust-model", "pinn", "baseline")

STUDY = """
name = "tiny"
hub = "hub"
base-npz = "base.npz"
dose = {doses}
view = ["dense"]
splits = ["train", "test"]
upto = "comparisons"
n-groups = 8
neighbor-count = 5
debug-groups = 16
chunk-groups = 8
batch-groups = 4

[[stage]]
name = "train-pinn-dose_{{dose}}-{{view}}"
files = ["{{here}}/pinn/model.ts", "{{here}}/pinn/model.json"]
outputs = ["{pinn}/model.ts", "{pinn}/model.json"]

[[stage]]
name = "train-baseline-dose_{{dose}}"
files = ["{{here}}/baseline/model.ts", "{{here}}/baseline/model.json"]
outputs = ["{baseline}/model.ts", "{baseline}/model.json"]

[[stage]]
name = "reconstruct"
files = ["{{here}}/recon.npz"]
"""


def write_base(path: Path) -> Path:
    """Write object and probe that a study can begin with."""
    rng = np.random.default_rng(3)
    positions = rng.uniform(20, 70, (2, N_IMAGES))
    np.savez(
        path,
        objectGuess=small_object(),
        probeGuess=small_probe(),
        xcoords=positions[0],
        ycoords=positions[1],
    )
    return path


def write_tiny_study(folder: Path, doses: tuple[int, ...] = (10000,)) -> Path:
    """Write a study.toml with all that it names; give its place."""
    folder.mkdir(parents=True, exist_ok=True)
    write_base(folder / "base.npz")
    write_network(folder / "pinn", gridsize=2)
    write_network(folder / "baseline", gridsize=1, seed=1)
    write_reconstruction(folder / "recon.npz")
    text = STUDY.format(
        doses=list(doses),
        pinn="data/phase_e/dose_{dose}/{view}/gs2",
        baseline="data/phase_e/dose_{dose}/baseline/gs1",
    )
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"
