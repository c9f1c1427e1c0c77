"""What does a detector count when a probe lights an object at a position?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.errors import GeometryError

Complex2D = NDArray[np.complexfloating[Any, Any]]
Intensity = NDArray[np.float64]


class FarField:
    """Far-field diffraction of an object by a probe, as upstream's simulation computes it.

    Parameters
    ----------
    image : ndarray of complex, shape (H, W)
        The object's transmission (dimensionless); outside of it nothing is transmitted.
    probe : ndarray of complex, shape (N, N)
        In any unit; its pixel N/2 lies at the position.

    Raises
    ------
    GeometryError
        If they are not such images, hold values that are not finite, or the probe is zero.

    Notes
    -----
    A patch at a position between pixels is interpolated bilinearly. The detector sees
    :math:`|F(P O)|^2`, zero frequency in the middle, with the orthonormal transform: all intensity
    behind the object reaches it (Parseval). Source: J. W. Goodman, Introduction to Fourier Optics,
    4th ed. (2017), section 4.3, Fraunhofer diffraction.
    """

    def __init__(self, image: Complex2D, probe: Complex2D) -> None:
        for name, array in (("object", image), ("probe", probe)):
            if array.ndim != 2 or array.dtype.kind != "c" or not np.isfinite(array).all():
                raise GeometryError(
                    f"this {name} cannot be simulated",
                    why=f"it is {array.dtype} of shape {array.shape}, or holds values that are "
                    "not finite",
                    do=f"give a complex, finite {name} of two axes",
                )
        if probe.shape[0] != probe.shape[1] or not np.any(probe):
            raise GeometryError(
                "this probe cannot be simulated",
                why=f"its shape is {probe.shape}" if np.any(probe) else "it is dark everywhere",
                do="give a square probe that is not dark",
            )
        self.patch_px = probe.shape[0]
        self._probe = probe.astype(np.complex128)
        self._padded = np.pad(image.astype(np.complex128), self.patch_px)

    def patch(self, position_px: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Cut the object at a position.

        Parameters
        ----------
        position_px : ndarray of float64, shape (2,)
            (y, x) in object pixels.

        Returns
        -------
        ndarray of complex128, shape (N, N)
            Transmission, zero outside the object.

        Raises
        ------
        GeometryError
            If the patch would not touch the object.
        """
        whole = np.floor(position_px).astype(np.int64)
        y, x = (whole + self.patch_px - self.patch_px // 2).tolist()
        down, right = (position_px - whole).tolist()
        side = self.patch_px
        window = self._padded[y : y + side + 1, x : x + side + 1]
        if y < 0 or x < 0 or window.shape != (side + 1, side + 1):
            raise GeometryError(
                f"the position {position_px.tolist()} lies outside of the object",
                why=f"a patch of {side} pixels there would not touch it",
                do="give positions as (y, x) in pixels of the object",
            )
        rows = (1 - down) * window[:-1] + down * window[1:]
        return np.asarray((1 - right) * rows[:, :-1] + right * rows[:, 1:])

    def total(self, position_px: NDArray[np.float64]) -> float:
        """Give the intensity of a whole frame, without noise.

        Parameters
        ----------
        position_px : ndarray of float64, shape (2,)
            (y, x) in object pixels.

        Returns
        -------
        float
            In the square of the probe's unit.
        """
        wave = self._probe * self.patch(position_px)
        return float(np.sum(wave.real**2 + wave.imag**2))

    def intensity(self, position_px: NDArray[np.float64]) -> Intensity:
        """Give one frame without noise.

        Parameters
        ----------
        position_px : ndarray of float64, shape (2,)
            (y, x) in object pixels.

        Returns
        -------
        ndarray of float64, shape (N, N)
            In the square of the probe's unit, zero frequency at pixel N/2.
        """
        # One frame at a time: whatever is computed together, its bits are the same.
        wave = fft.fft2(self._probe * self.patch(position_px), norm="ortho")
        return np.asarray(fft.fftshift(wave.real**2 + wave.imag**2))


def counted_amplitude(
    intensity: Intensity, unit: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    r"""Count photons, and give the square root of the counts in the unit of the wave.

    Parameters
    ----------
    intensity : ndarray of float64
        Without noise; ``intensity / unit**2`` photons are expected.
    unit : float
        Amplitude of one photon; see `amplitude_of_one_photon`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, same shape
        :math:`u \sqrt{n}`, with n drawn from a Poisson distribution.
    """
    counts = rng.poisson(intensity / unit**2)
    return np.asarray(unit * np.sqrt(counts), np.float32)


def amplitude_of_one_photon(mean_total: float, photons: float) -> float:
    """Give the amplitude of one photon.

    Parameters
    ----------
    mean_total : float
        Mean intensity of a frame, in the square of the probe's unit.
    photons : float
        How many photons a frame has on average.

    Returns
    -------
    float
        In the probe's unit.

    Examples
    --------
    >>> amplitude_of_one_photon(400.0, 100.0)
    2.0
    """
    return float(np.sqrt(mean_total / photons))


def noise_generator(seed: int, photons: float, frame: int) -> np.random.Generator:
    """Give the generator of one frame's noise: it depends on nothing but these numbers.

    Parameters
    ----------
    seed : int
        Of the study's noise.
    photons : float
        Mean number per frame.
    frame : int
        Number of the frame.

    Returns
    -------
    numpy.random.Generator
        Equal arguments give equal ones.
    """
    return np.random.default_rng([seed, int(photons), frame])
