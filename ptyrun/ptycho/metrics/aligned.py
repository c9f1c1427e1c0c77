"""What are two images on one grid, and what was done to the first?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.config import PhaseAlign
from ptyrun.ptycho.metrics.factors import global_factor, signed_agreement
from ptyrun.ptycho.metrics.ramps import NO_RAMP, Ramp, near_ramp_between
from ptyrun.ptycho.metrics.registration import NO_SHIFT, Shift

BORDER_PX = 2
SETTLED = 0.998

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Aligned:
    """Two images on one grid, and what was done to the first.

    Attributes
    ----------
    recon, truth : ndarray of complex, shape (h, w)
        The images, trimmed.
    covered : ndarray of bool, shape (h, w)
        Where the first is known.
    shift : Shift, optional
        By which the first was moved, in pixels.
    ramp : Ramp
        Taken off the first.
    factor : complex
        Which the first was multiplied by.
    registered : bool
        False where a shift was asked for and no believable one was found.
    others : tuple of Shift
        Shifts after which the fields agree as well.
    is_featureless : bool
        True where the first has nothing to register on, and was not moved.
    """

    recon: NDArray[np.complex128]
    truth: Complex2D
    covered: Mask
    shift: Shift = NO_SHIFT
    ramp: Ramp = NO_RAMP
    factor: complex = 1.0 + 0.0j
    registered: bool = True
    others: tuple[Shift, ...] = ()
    is_featureless: bool = False

    @property
    def border_px(self) -> tuple[int, int]:
        """Rows and columns that are gone at each side."""
        return border_px(self.shift)

    @property
    def agreement(self) -> float:
        """How well the fields agree where the first is known, with its sign; -1 where it is not."""
        known = self.covered
        return signed_agreement(self.recon[known], self.truth[known]) if known.any() else -1.0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is moved by a fraction of a pixel, nor need be."""
        return self.shift == self.shift.whole and self.agreement > SETTLED


def border_px(shift: Shift) -> tuple[int, int]:
    """Count rows and columns at each side that a shift, and what shifts spoil, take.

    Parameters
    ----------
    shift : Shift
        In pixels.

    Returns
    -------
    tuple of int
        Rows and columns.
    """
    rows, columns = shift.border_px
    return rows + BORDER_PX, columns + BORDER_PX


def refitted(
    recon: Complex2D, truth: Complex2D, covered: Mask, phase: PhaseAlign
) -> NDArray[np.complex128]:
    """Take off a registered image the ramp and factor that its covered pixels have.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
        On one grid.
    covered : ndarray of bool, shape (H, W)
        Which pixels count.
    phase : PhaseAlign
        Whether a plane or only a mean is taken off.

    Returns
    -------
    ndarray of complex128, shape (H, W)
        The first image, refitted.
    """
    flat = np.asarray(recon, np.complex128)
    if phase is PhaseAlign.PLANE:
        flat = near_ramp_between(NO_RAMP, flat, truth, covered).removed_from(flat)
    return flat * global_factor(flat[covered], truth[covered])
