"""What is the spectrum of an image, and how strong is it, alone and together with another?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Spectrum = NDArray[np.complex128]


def spectrum(image: NDArray[Any], *, is_real: bool, overwrite: bool = False) -> Spectrum:
    """Transform an image, in double precision; of a real one, half the spectrum says all.

    Parameters
    ----------
    image : ndarray, shape (N, N)
        Real or complex.
    is_real : bool
        Whether half of it is wanted.
    overwrite : bool
        Whether the image may be lost, which saves its memory.

    Returns
    -------
    ndarray of complex128, shape (K,)
        In the order of :class:`ptyrun.ptycho.metrics.sectors.Plane`.
    """
    values = np.asarray(image, np.float64 if is_real else np.complex128)
    transform = fft.rfft2 if is_real else fft.fft2
    return np.asarray(transform(values, overwrite_x=overwrite)).ravel()


def cross_power(first: Spectrum, second: Spectrum) -> NDArray[np.float64]:
    """Give the real part of F1 F2*.

    Parameters
    ----------
    first, second : ndarray of complex128, shape (K,)
        F1 and F2.

    Returns
    -------
    ndarray of float64, shape (K,)
        Without a complex product in between, which is twice as large.
    """
    found = first.real * second.real
    found += first.imag * second.imag
    return np.asarray(found)


def power(values: Spectrum) -> NDArray[np.float64]:
    """Give the squared modulus of a spectrum.

    Parameters
    ----------
    values : ndarray of complex128, shape (K,)
        F.

    Returns
    -------
    ndarray of float64, shape (K,)
        :math:`|F|^2`.
    """
    return cross_power(values, values)


def quickly_transformed(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Find the middle of an image whose sides are products of small primes.

    An FFT of a side with a large prime factor takes up to ten times as long.

    Parameters
    ----------
    shape : tuple of int
        Of the image.

    Returns
    -------
    tuple of slice
        One per axis.
    """
    sides = [next(n for n in range(side, 0, -1) if fft.next_fast_len(n) == n) for side in shape]
    starts = [(side - fast) // 2 for side, fast in zip(shape, sides, strict=True)]
    return tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))
