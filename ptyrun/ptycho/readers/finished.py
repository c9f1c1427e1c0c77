"""What is a finished reconstruction?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.readers.probe_modes import stacked_modes
from ptyrun.texts import one_line

TIKE, PTYCHI = "Tike", "PtyChi"


@dataclass(frozen=True)
class Reconstruction:
    """An object that an iterative program found, and what is known of it.

    Attributes
    ----------
    path : Path
        The file that it was read from.
    object : ndarray of complex64, shape (H, W)
        The transmission, dimensionless, one pixel of the scan's object to a pixel.
    label : str
        What tables call it.
    algorithm : str, optional
        What the file says made it.
    probe : ndarray of complex64, shape (N, N), optional
        The first mode of its probe.
    computation_time_s : float, optional
        How long it took, as the file says.
    notes : tuple of str
        What was assumed.
    weaker_modes : ndarray of complex64, shape (M - 1, N, N), optional
        The modes of its probe beside the first.
    pixel_size_m : float, optional
        Side of an object pixel in metres.
    reader : str
        Name of the reader that read it.
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

    def notes_as(self, label: str) -> tuple[str, ...]:
        """Give the notes for tables that call it *label*: also what made it, if that says less.

        Parameters
        ----------
        label : str
            What tables call it.

        Returns
        -------
        tuple of str
            What made it, as its file says, and what was assumed.

        Examples
        --------
        >>> found = Reconstruction(Path("a.npz"), np.ones((1, 1), np.complex64), PTYCHI, "ePIE")
        >>> found.notes_as(PTYCHI), found.notes_as("epie")
        (('made by ePIE, as its file says',), ())
        """
        if self.algorithm is None or self.algorithm.lower() == label.lower():
            return self.notes
        return (f"made by {one_line(self.algorithm)}, as its file says", *self.notes)


def label_of(algorithm: str | None) -> str:
    """Name the arm as upstream does: tike is Tike, everything else PtyChi."""
    return TIKE if algorithm is not None and algorithm.lower().startswith("tike") else PTYCHI
