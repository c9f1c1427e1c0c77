"""Which network does the bench predict with, when there is no trained model and no framework?

Dense layers in NumPy, of a cost per group that can be chosen. BLAS keeps all cores busy with them,
as a framework's convolutions do, so that the engine's threads have to share. Layers are few and
large: a framework too computes a whole batch without asking for Python's lock in between.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks import offer
from ptyrun.models.files import ModelCard
from ptyrun.models.predictors import ModelRequest

WIDTH = 1024  # a group is cut into rows of so many values; N^2 C is a multiple of it
BACKEND = "bench-dense"


class DensePredictor:
    """As many layers as the model's file says; each costs 2 N^2 C WIDTH operations per group."""

    def __init__(self, batch_items: int, patch_px: int, n_layers: int) -> None:
        self.card = ModelCard(patch_px, None, None, f"{n_layers} dense layers in NumPy")
        self.batch_items = batch_items
        self._n_layers = n_layers
        random = np.random.default_rng(1)
        scale = np.float32(1 / np.sqrt(WIDTH))
        self._weights = random.standard_normal((WIDTH, WIDTH), np.float32) * scale

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        """Read the number of layers from the model's file."""
        document = json.loads(request.path.read_text(encoding="utf-8"))
        return cls(request.batch_items, request.patch_px, int(document["layers"]))

    def predict(
        self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        """One patch per group, of no meaning but never twice the same."""
        hidden = diffraction.reshape(-1, WIDTH)
        for _ in range(self._n_layers):
            hidden = np.clip(hidden @ self._weights, -1, 1)
        mean = hidden.reshape(diffraction.shape).mean(axis=3)
        return np.asarray((1 + 0.1 * mean) + 1j * mean, np.complex64)

    def close(self) -> None:
        """Hold nothing."""


def write_model(folder: Path, n_layers: int) -> Path:
    """Write a model folder that ptyrun can open where `install` was done."""
    folder.mkdir(parents=True)
    (folder / "dense.json").write_text(json.dumps({"layers": n_layers}), encoding="utf-8")
    card = {"schema": 1, "backend": BACKEND, "file": "dense.json", "gridsize": 2}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def install(site: Path) -> Path:
    """Offer the predictor in *site*, as an installed package does; put it on PYTHONPATH."""
    return offer(site, BACKEND, DensePredictor)
