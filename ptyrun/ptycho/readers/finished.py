"""What is a finished reconstruction?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.readers.scan import stacked_modes

TIKE, PTYCHI = "Tike", "PtyChi"


@dataclass(frozen=True)
class Reconstruction:
    """An object (H, W) complex64 that an iterative program found, and what is known of it.

    ``label`` is what tables call it; ``weaker_modes`` (M - 1, N, N) are those of its probe beside
    the first; ``pixel_size_m`` is the side of an object pixel in metres; ``reader`` names the
    reader that read it.
    """

    path: Path
    object: NDArray[np.complex64]
    label: str
    algorithm: str | None = None
    probe: NDArray[np.complex64] | None = None
    computation_time_s: float | None = None
    notes: tuple[str, ...] = ()
    weaker_modes: NDArray[np.complex64] | None = None
    pixel_size_m: float | None = None
    reader: str = ""

    @property
    def probe_modes(self) -> NDArray[np.complex64] | None:
        """All modes of its probe (M, N, N); None where it came without one."""
        return stacked_modes(self.probe, self.weaker_modes)


def label_of(algorithm: str | None) -> str:
    """Name the arm as upstream does: tike is Tike, everything else PtyChi."""
    return TIKE if algorithm is not None and algorithm.lower().startswith("tike") else PTYCHI
