"""Small scans and the stored values of the upstream tool."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.ptycho.readers.npz import NpzFile


class Scene:
    """A little scan in memory, to be written in any layout."""

    def __init__(self, n_frames: int = 12, patch_px: int = 8) -> None:
        generator = np.random.default_rng(7)
        self.amplitude = np.sqrt(generator.poisson(3.0, (n_frames, patch_px, patch_px)))
        self.amplitude = self.amplitude.astype(np.float32)
        self.x = generator.uniform(patch_px, 40, n_frames)
        self.y = generator.uniform(patch_px, 30, n_frames)
        shape = (2, 48, 56)
        real, imaginary = generator.normal(size=shape)
        self.object = (real + 1j * imaginary).astype(np.complex64)
        self.probe = np.full((patch_px, patch_px), 1 + 1j, np.complex64)

    def members(self, **changed: NDArray[np.generic] | None) -> dict[str, Any]:
        """The file's arrays, some replaced or (None) left out."""
        members = {
            "diffraction": self.amplitude,
            "xcoords": self.x,
            "ycoords": self.y,
            "probeGuess": self.probe,
            "objectGuess": self.object,
        } | changed
        return {name: values for name, values in members.items() if values is not None}


@contextmanager
def rewritten(path: Path) -> Iterator[h5py.File]:
    """Change an HDF5 file that a scan may still hold open: another file takes its place."""
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    with h5py.File(copy, "a") as file:
        yield file
    copy.replace(path)


@pytest.fixture(scope="module")
def unsuspicious() -> Iterator[None]:
    """Spare each HDF5 file the process that looks through it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ptyrun.ptycho.readers.hdf5.fault_of", lambda path: "")
        yield


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="session")
def unit(golden: Path) -> NpzFile:
    return NpzFile(golden / "unit" / "unit.npz")


@pytest.fixture(scope="session")
def upstream_run(golden: Path) -> NpzFile:
    return NpzFile(golden / "upstream_train96" / "arrays.npz")


@pytest.fixture(scope="session")
def golden_scan_path(golden: Path) -> Path:
    return golden / "hub/data/phase_c/dose_1000/patched_train.npz"
