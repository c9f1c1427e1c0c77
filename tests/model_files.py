"""Predictors that NumPy alone runs, for tests of what stands around a predictor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.models.files import ModelCard
from ptyrun.models.predictors import ModelRequest, PredictorOutOfMemoryError

N, C = 8, 4


def request(path: Path = Path("model"), **changed: int) -> ModelRequest:
    asked: dict[str, Any] = {"patch_px": N, "gridsize": 2, "batch_items": 8, **changed}
    return ModelRequest(path, **asked)


def groups(n: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Different groups: diffraction (n, N, N, C) and offsets (n, 1, 2, C)."""
    generator = np.random.default_rng(seed)
    return (
        generator.uniform(0, 2, (n, N, N, C)).astype(np.float32),
        generator.normal(0, 2, (n, 1, 2, C)).astype(np.float32),
    )


def same_rows(n: int, batch: int) -> NDArray[np.intp]:
    """An order of *n* groups in which each keeps its row of a batch, beside other ones."""
    generator = np.random.default_rng(5)
    rows = [generator.permutation(np.arange(row, n, batch)) for row in range(batch)]
    return np.stack(rows, axis=1).ravel()


class SmallMemory:
    """Adds up each group's frames; has memory for no more than *fits* groups."""

    def __init__(self, batch_items: int, fits: int, fails_when_opened: bool = False) -> None:
        self.card = ModelCard(N, 2, True, "adds up frames")
        self.batch_items = batch_items
        self.calls: list[int] = []
        self.closed = False
        self._fits = fits
        if fails_when_opened:
            self._need_memory()

    def predict(
        self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        assert len(diffraction) == self.batch_items == len(local_offsets_px)
        self.calls.append(self.batch_items)
        self._need_memory()
        return (diffraction.sum(-1) + 1j * local_offsets_px[:, 0, 0, 0, None, None]).astype(
            np.complex64
        )

    def close(self) -> None:
        self.closed = True

    def _need_memory(self) -> None:
        if self.batch_items > self._fits:
            raise PredictorOutOfMemoryError(
                "no memory", why=f"{self.batch_items} groups do not fit", do="halve"
            )
