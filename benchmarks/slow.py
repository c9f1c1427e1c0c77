"""How is a comparison made slow, at the place that one wants?

From outside: a ``sitecustomize`` that makes imports and ``fsync`` slow, and a predictor of another
package that loads and predicts slowly. Whatever is slow in Python holds the interpreter's lock
meanwhile, as C code does that never lets go of it.
"""

from __future__ import annotations

import ctypes
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks import offer, python_path
from ptyrun.models.files import ModelCard
from ptyrun.models.predictors import ModelRequest

ASKED_FOR = "PTYRUN_BENCH_SLOW"
BACKEND = "bench-slow"
SITECUSTOMIZE = f"""
import ctypes, json, os, sys, time

how = json.loads(os.environ["{ASKED_FOR}"])

class Slow:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in how["imports_s"]:
            ctypes.PyDLL(None).usleep(int(1e6 * how["imports_s"].pop(name)))
        return None

sys.meta_path.insert(0, Slow)
if how["fsync_s"]:
    def slow(do):
        def wrapped(handle):
            time.sleep(how["fsync_s"])
            return do(handle)
        return wrapped
    os.fsync, os.fdatasync = slow(os.fsync), slow(os.fdatasync)
"""


@dataclass(frozen=True)
class Slowness:
    """What is slow, and by how many seconds."""

    imports_s: dict[str, float] = field(default_factory=dict)
    load_s: float = 0.0
    batch_s: float = 0.0
    fsync_s: float = 0.0

    def environment(self, site: Path) -> dict[str, str]:
        """For a process that is to be slow."""
        return {**os.environ, "PYTHONPATH": python_path(site), ASKED_FOR: json.dumps(asdict(self))}


def install(folder: Path) -> tuple[Path, Path]:
    """Write what makes a process slow, and a model; give the folders of both."""
    site, model = folder / "site", folder / "model"
    offer(site, BACKEND, SlowPredictor)
    model.mkdir()
    (site / "sitecustomize.py").write_text(SITECUSTOMIZE)
    (model / "weights.txt").write_text("none\n")
    card = {"schema": 1, "backend": BACKEND, "file": "weights.txt", "gridsize": 1}
    (model / "model.json").write_text(json.dumps(card), encoding="utf-8")
    return site, model


class SlowPredictor:
    """Smooths the diffraction into a patch, as slowly as the environment says."""

    def __init__(self, request: ModelRequest, how: dict[str, Any]) -> None:
        _sleep_with_the_lock(how["load_s"])
        self.card = ModelCard(request.patch_px, None, False, "slow")
        self.batch_items = request.batch_items
        self._batch_s = how["batch_s"]

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        """Take as long as the environment says."""
        return cls(request, json.loads(os.environ[ASKED_FOR]))

    def predict(
        self, diffraction: NDArray[np.float32], local_offsets_px: NDArray[np.float32]
    ) -> NDArray[np.complex64]:
        """One patch per group, never twice the same."""
        _sleep_with_the_lock(self._batch_s)
        field_ = np.fft.fftshift(np.fft.ifft2(diffraction.mean(axis=3)), axes=(1, 2))
        return np.asarray(1 + field_ / np.abs(field_).max(), np.complex64)

    def close(self) -> None:
        """Hold nothing."""


def _sleep_with_the_lock(seconds: float) -> None:
    if seconds:
        ctypes.PyDLL(None).usleep(int(1e6 * seconds))
