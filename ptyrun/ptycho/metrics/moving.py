"""How is one image moved by fractions of a pixel, again and again?"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.metrics.registration import Shift

Complex2D = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True)
class Movable:
    """An image (H, W) whose spectrum is kept.

    Attributes
    ----------
    spectrum : ndarray of complex, shape (H, W)
        In the image's precision.
    """

    spectrum: Complex2D

    @classmethod
    def of(cls, image: Complex2D) -> Self:
        """Transform it once.

        Parameters
        ----------
        image : ndarray of complex, shape (H, W)
            The field.
        """
        return cls(np.asarray(fft.fft2(image)))

    def by(
        self, shift: Shift, inside: tuple[slice, slice] | EllipsisType = ...
    ) -> NDArray[np.complex128]:
        """Move it; what leaves at one side enters at the other.

        Parameters
        ----------
        shift : Shift
            In pixels.
        inside : tuple of slice, optional
            Which rows and columns are wanted (default: all).

        Returns
        -------
        ndarray of complex128, shape (h, w)
            As :func:`ptyrun.ptycho.metrics.registration.apply_shift`, to the last bits.
        """
        along_y, along_x = (
            np.exp(-2j * np.pi * move * fft.fftfreq(side))
            for move, side in zip((shift.dy_px, shift.dx_px), self.spectrum.shape, strict=True)
        )
        turned = self.spectrum * along_y[:, None]
        turned *= along_x[None, :]
        return np.asarray(fft.ifft2(turned, overwrite_x=True)[inside], np.complex128)
