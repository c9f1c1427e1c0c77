"""What is each step of the demo told? Every number that one may want to turn, in one place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Recipe:
    """Settings of one step, fixed seed included."""

    def settings(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Scan(Recipe):
    """One experiment: what is scanned, with what, how long.

    Attributes
    ----------
    photons : float
        Photons that fall onto the object in one exposure: the dose.
    patch_px : int
        Side N of a diffraction pattern and of the field that one exposure sees.
    n_rows, n_columns, step_px, jitter_px : int, int, float, float
        A grid of positions, each moved by up to ``jitter_px`` along either axis.
    """

    photons: float
    patch_px: int = 64
    n_rows: int = 56
    n_columns: int = 28
    step_px: float = 5.5
    jitter_px: float = 1.6
    seed: int = 42

    @property
    def margin_px(self) -> float:
        """From the edge of the object to the first row and column of the scan."""
        return self.patch_px / 2 + self.jitter_px + 4

    @property
    def object_shape(self) -> tuple[int, int]:
        """Room for every patch (H, W)."""
        rows = (self.n_rows - 1) * self.step_px + 2 * self.margin_px
        columns = (self.n_columns - 1) * self.step_px + 2 * self.margin_px
        return int(np.ceil(rows)), int(np.ceil(columns))


@dataclass(frozen=True)
class Pinn(Recipe):
    """A network of so many stages, each with a convolutional network of so many channels."""

    GRIDSIZE: ClassVar[int] = 2

    stages: int = 3
    width: int = 12
    epochs: int = 4
    batch_groups: int = 16
    learning_rate: float = 2e-3
    seed: int = 11


@dataclass(frozen=True)
class Baseline(Recipe):
    """A U-Net with so many channels at half and at a quarter of the resolution and below."""

    fine_width: int = 16
    coarse_width: int = 48
    epochs: int = 4
    batch_frames: int = 8
    learning_rate: float = 2e-3
    seed: int = 17


@dataclass(frozen=True)
class Reconstruction(Recipe):
    """Iterations over the whole scan, a few frames at once."""

    epochs: int = 32
    batch_frames: int = 32
    seed: int = 23
