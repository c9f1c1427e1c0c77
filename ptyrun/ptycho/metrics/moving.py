"""How is one image moved by fractions of a pixel, again and again?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.metrics.registration import Shift

Complex2D = NDArray[np.complexfloating[Any, Any]]


EVERYTHING = (slice(None), slice(None))


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

    def by(self, shift: Shift, inside: tuple[slice, slice] = EVERYTHING) -> Complex2D:
        """Move it; what leaves at one side enters at the other.

        Parameters
        ----------
        shift : Shift
            In pixels.
        inside : tuple of slice, optional
            Which rows and columns are wanted (default: all).

        Returns
        -------
        ndarray of complex, shape (h, w)
            In the image's precision; else as
            :func:`ptyrun.ptycho.metrics.registration.apply_shift`, to the last bits.
        """
        along_y, along_x = (
            np.exp(-2j * np.pi * move * fft.fftfreq(side))
            for move, side in zip((shift.dy_px, shift.dx_px), self.spectrum.shape, strict=True)
        )
        return self._through(along_y, along_x, inside)

    def slope(self, axis: int, inside: tuple[slice, slice] = EVERYTHING) -> Complex2D:
        """Differentiate it along one axis.

        Parameters
        ----------
        axis : int
            0 for down, 1 for to the right.
        inside : tuple of slice, optional
            Which rows and columns are wanted (default: all).

        Returns
        -------
        ndarray of complex, shape (h, w)
            Per pixel, in the image's precision.
        """
        along = [np.ones(side) for side in self.spectrum.shape]
        side = self.spectrum.shape[axis]
        along[axis] = 2j * np.pi * fft.fftfreq(side)
        if side % 2 == 0:
            along[axis][side // 2] = 0  # of either sign
        return self._through(along[0], along[1], inside)

    def _through(
        self, along_y: NDArray[Any], along_x: NDArray[Any], inside: tuple[slice, slice]
    ) -> Complex2D:
        """What a filter leaves; of rows that are not wanted, no column is transformed."""
        along_y, along_x = (each.astype(self.spectrum.dtype) for each in (along_y, along_x))
        rows, columns = inside
        half = fft.ifft(self.spectrum * along_y[:, None], axis=0, overwrite_x=True)[rows]
        half *= along_x[None, :]
        return np.asarray(fft.ifft(half, axis=1, overwrite_x=True)[:, columns])
