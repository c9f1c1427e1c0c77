"""How far is one image shifted against another?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import fourier_shift
from skimage.registration import phase_cross_correlation

from ptyrun.errors import GeometryError

UPSAMPLING = 50


@dataclass(frozen=True, order=True)
class Shift:
    """By how far an image has to be moved to lie on the other.

    Attributes
    ----------
    dy_px, dx_px : float
        Down and to the right, in pixels.
    """

    dy_px: float
    dx_px: float

    @property
    def border_px(self) -> tuple[int, int]:
        """Rows and columns at each side that a circular shift spoils."""
        return math.ceil(abs(self.dy_px)), math.ceil(abs(self.dx_px))

    @property
    def whole(self) -> Shift:
        """The nearest shift by whole pixels."""
        return Shift(float(round(self.dy_px)), float(round(self.dx_px)))

    @property
    def opposite(self) -> Shift:
        """The way back."""
        return Shift(-self.dy_px, -self.dx_px)

    def __add__(self, other: Shift) -> Shift:
        return Shift(self.dy_px + other.dy_px, self.dx_px + other.dx_px)


NO_SHIFT = Shift(0.0, 0.0)


def register(recon: NDArray[Any], truth: NDArray[Any]) -> Shift:
    """Find the shift that brings *recon* onto *truth*, to 1/50 px.

    Parameters
    ----------
    recon, truth : ndarray, shape (H, W)
        Magnitudes, whose phases and ramps then do not matter, or complex fields free of ramps.

    Returns
    -------
    Shift
        In pixels.

    Raises
    ------
    GeometryError
        If the shapes differ.

    Notes
    -----
    Phase correlation with a matrix-multiply DFT around the peak: Guizar-Sicairos, Thurman and
    Fienup, Opt. Lett. 33, 156 (2008), doi:10.1364/OL.33.000156, as in scikit-image, in single
    precision as upstream does it.
    """
    if recon.shape != truth.shape:
        raise GeometryError(
            "images of different size cannot be registered",
            why=f"one is {recon.shape}, the other {truth.shape}",
            do="crop both to the same region first",
        )
    single = np.complex64 if np.iscomplexobj(recon) else np.float32
    fixed, moving = (image.astype(single) for image in (truth, recon))
    if np.ptp(np.abs(fixed)) == 0 or np.ptp(np.abs(moving)) == 0:
        return NO_SHIFT
    found, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        fixed, moving, upsample_factor=UPSAMPLING
    )
    return Shift(float(found[0]), float(found[1]))


def apply_shift(image: NDArray[Any], shift: Shift) -> NDArray[np.complex128]:
    """Move an image (H, W) by a fraction of pixels; what leaves at one side enters at the other.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        Real or complex.
    shift : Shift
        In pixels.

    Returns
    -------
    ndarray of complex128, shape (H, W)
        The moved image.
    """
    # Transformed in the image's precision and shifted in double, as upstream does: bit for bit.
    spectrum = fourier_shift(np.fft.fft2(image).astype(np.complex128), (shift.dy_px, shift.dx_px))
    return np.asarray(np.fft.ifft2(spectrum), np.complex128)


def cropped(image: NDArray[Any], rows: int, columns: int | None = None) -> NDArray[Any]:
    """Take rows off the top and bottom, and columns off the sides.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        Of any dtype.
    rows : int
        How many at each side.
    columns : int, optional
        How many at each side (default: as many as rows).

    Returns
    -------
    ndarray, shape (H - 2 rows, W - 2 columns)
        A view of it.
    """
    columns = rows if columns is None else columns
    height, width = image.shape[:2]
    return image[rows : height - rows, columns : width - columns]
