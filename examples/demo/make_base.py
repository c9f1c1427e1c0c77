"""Where, and with what beam, is the demo's object scanned? Object, probe and positions as an NPZ.

A number changed here makes the study again: its stages know what they are made from.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from chart import draw_object
from numpy.typing import NDArray

from ptyrun.host import durable

PATCH_PX = 64
N_ROWS, N_COLUMNS = 56, 28
STEP_PX, JITTER_PX = 5.5, 1.6
SEED = 42
# From the edge of the object to the first row and column of positions.
MARGIN_PX = PATCH_PX / 2 + JITTER_PX + 4

PROBE_RADIUS_PX, PROBE_EDGE_PX = 20.0, 2.0
DEFOCUS, ASTIGMATISM = 0.9, 0.12


def make_base(path: Path) -> None:
    """Write what the study simulates; equal settings are equal bytes."""
    y, x = jittered_grid().T
    arrays: dict[str, NDArray[Any]] = {
        "objectGuess": draw_object(object_shape()).astype(np.complex64),
        "probeGuess": make_probe().astype(np.complex64),
        "xcoords": x,
        "ycoords": y,
    }
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    if not path.exists() or path.read_bytes() != file.getvalue():
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write_atomic(path, file.getvalue())


def jittered_grid() -> NDArray[np.float64]:
    """Positions (n, 2) as (y, x) in object pixels: no raster, so no raster artefact."""
    rows, columns = np.divmod(np.arange(N_ROWS * N_COLUMNS), N_COLUMNS)
    grid = np.stack([rows, columns], axis=1) * STEP_PX + MARGIN_PX
    return grid + np.random.default_rng(SEED).uniform(-JITTER_PX, JITTER_PX, grid.shape)


def object_shape() -> tuple[int, int]:
    """Room for every patch (H, W)."""
    rows, columns = ((n - 1) * STEP_PX + 2 * MARGIN_PX for n in (N_ROWS, N_COLUMNS))
    return int(np.ceil(rows)), int(np.ceil(columns))


def make_probe() -> NDArray[np.complex128]:
    """Beam of a round aperture, out of focus and slightly astigmatic, shape (N, N).

    Out of focus, a diffraction pattern is a shadow image of the object with interference fringes:
    single patterns are far easier to invert than those of a focused beam.
    """
    axis = np.arange(PATCH_PX) - PATCH_PX // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    amplitude = 1 / (1 + np.exp(-2 * (PROBE_RADIUS_PX - np.hypot(y, x)) / PROBE_EDGE_PX))
    bent = (DEFOCUS + ASTIGMATISM) * x**2 + (DEFOCUS - ASTIGMATISM) * y**2
    return np.asarray(amplitude * np.exp(1j * np.pi / PATCH_PX * bent))
