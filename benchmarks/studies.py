"""Which comparison does the bench run, where there are no trained models?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import dense
from ptyrun.config import ArmConfig, CompareConfig, EvaluationOptions, Presentation

OBJECT_PX = 464
CROP_PX = 20


@dataclass(frozen=True)
class Study:
    """A scan of speckle patterns and a dense network of some cost, on disk.

    Attributes
    ----------
    folder : Path
        Holds ``scan.npz`` and the model.
    """

    folder: Path

    @property
    def scan(self) -> Path:
        """The scan's file."""
        return self.folder / "scan.npz"

    @property
    def model(self) -> Path:
        """The network's folder."""
        return self.folder / "model"

    def config(self, output_dir: Path, *, chunk_groups: int, batch_groups: int) -> CompareConfig:
        """One arm, all groups."""
        arm = ArmConfig(
            name="pinn",
            path=self.model,
            label="dense",
            chunk_groups=chunk_groups,
            batch_groups=batch_groups,
        )
        return CompareConfig(
            scan=self.scan,
            output_dir=output_dir,
            arms=(arm,),
            evaluation=EvaluationOptions(stitch_crop_px=CROP_PX),
            presentation=Presentation(save_npz=False, save_npz_aligned=False),
        )


def make_study(folder: Path, *, n_frames: int, patch_px: int, n_layers: int) -> Study:
    """Write a scan and a model; the network's predictor is then known to this process."""
    study = Study(folder)
    folder.mkdir(parents=True)
    dense.write_model(study.model, n_layers)
    offer_dense_predictor(folder / "site")
    random = np.random.default_rng(7)
    few = random.exponential(1.0, (64, patch_px, patch_px)).astype(np.float32)
    frames = np.lib.format.open_memmap(
        folder / "frames.npy", "w+", np.float32, (n_frames, patch_px, patch_px)
    )
    for first in range(0, n_frames, len(few)):
        count = min(len(few), n_frames - first)
        frames[first : first + count] = few[:count] * np.float32(1 + first / n_frames)
    positions = random.uniform(patch_px / 2, OBJECT_PX - patch_px / 2, (2, n_frames))
    phase = random.uniform(0, 1, (OBJECT_PX, OBJECT_PX))
    np.savez(
        study.scan,
        diffraction=frames,
        probeGuess=np.ones((patch_px, patch_px), np.complex64),
        objectGuess=np.exp(1j * phase).astype(np.complex64),
        xcoords=positions[0],
        ycoords=positions[1],
    )
    (folder / "frames.npy").unlink()
    return study


def offer_dense_predictor(site: Path) -> None:
    """Make this process find the dense predictor, as if a package had been installed."""
    if not site.exists():
        dense.install(site)
    if str(site) not in sys.path:
        sys.path.append(str(site))
