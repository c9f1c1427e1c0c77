"""Which predictor costs just what one says, so that all the rest can be measured?

``sleep`` waits as for a GPU; ``spin`` keeps one core busy for as long, in time of the processor, as
a single-threaded network does. A patch depends on its diffraction alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

import benchmarks
from benchmarks import python_path
from ptyrun.models.files import ModelCard
from ptyrun.models.predictors import ModelRequest

BACKEND = "bench-stated"


@dataclass(frozen=True)
class StatedPredictor:
    """Takes *item_s* for each group."""

    card: ModelCard
    batch_items: int
    item_s: float
    spins: bool

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        """Read from the model's file how long a group takes, and how."""
        document = json.loads(request.path.read_text(encoding="utf-8"))
        card = ModelCard(request.patch_px, None, False, "of a stated cost")
        return cls(card, request.batch_items, float(document["item_s"]), bool(document["spins"]))

    def predict(
        self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        """One patch per group, of no meaning but never twice the same."""
        seconds = self.item_s * len(diffraction)
        if self.spins:
            until_s = time.thread_time() + seconds
            while time.thread_time() < until_s:
                pass
        elif seconds:
            time.sleep(seconds)
        mean = diffraction.mean(axis=3)
        return np.asarray((1 + 0.1 * mean) + 1j * mean / (1 + mean), np.complex64)

    def close(self) -> None:
        """Hold nothing."""


def write_model(folder: Path, *, item_s: float, gridsize: int, spins: bool = False) -> Path:
    """Write a model folder that ptyrun can open where `offer` was called."""
    folder.mkdir(parents=True)
    document = {"item_s": item_s, "spins": spins}
    (folder / "stated.json").write_text(json.dumps(document), encoding="utf-8")
    card = {"schema": 1, "backend": BACKEND, "file": "stated.json", "gridsize": gridsize}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def offer(site: Path) -> None:
    """Make this process and its children find the predictor, as if a package were installed."""
    benchmarks.offer(site, BACKEND, StatedPredictor)
    if str(site) not in sys.path:
        sys.path.append(str(site))
        os.environ["PYTHONPATH"] = python_path(site)


def write_scan(path: Path, n_frames: int, patch_px: int, object_px: int = 464) -> Path:
    """Write a scan of speckle patterns at random positions, frame by frame."""
    random = np.random.default_rng(7)
    few = random.exponential(1.0, (64, patch_px, patch_px)).astype(np.float32)
    raw = path.with_suffix(".npy")
    frames = np.lib.format.open_memmap(raw, "w+", np.float32, (n_frames, patch_px, patch_px))
    for first in range(0, n_frames, len(few)):
        count = min(len(few), n_frames - first)
        frames[first : first + count] = few[:count] * np.float32(1 + first / n_frames)
    positions = random.uniform(patch_px / 2, object_px - patch_px / 2, (2, n_frames))
    phase = random.uniform(0, 1, (object_px, object_px))
    np.savez(
        path,
        diffraction=frames,
        probeGuess=np.ones((patch_px, patch_px), np.complex64),
        objectGuess=np.exp(1j * phase).astype(np.complex64),
        xcoords=positions[0],
        ycoords=positions[1],
    )
    raw.unlink()
    return path
