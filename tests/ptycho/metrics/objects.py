"""Random objects whose right figures are known, for the properties that figures must have."""

from __future__ import annotations

from typing import Any

import numpy as np

Image = np.ndarray[Any, np.dtype[np.float64]]
Field = np.ndarray[Any, np.dtype[np.complex128]]

N_OBJECTS = 200


def natural(side: int, generator: np.random.Generator, slope: float = 1.0) -> Image:
    """Noise whose amplitude falls as 1/f^slope, as in pictures of nature: mean 0, deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    frequency[0, 0] = 1 / side
    image = np.fft.ifft2(np.fft.fft2(generator.standard_normal((side, side))) / frequency**slope)
    return (image.real - image.real.mean()) / image.real.std()


def weak(side: int, generator: np.random.Generator) -> tuple[Image, Image]:
    """Amplitude about 0.75, and a phase of less than one turn."""
    amplitude = 0.75 + 0.1 * np.clip(natural(side, generator), -3, 3)
    return amplitude, 0.3 * np.clip(natural(side, generator), -3, 3)


def noise(side: int, generator: np.random.Generator, deviation: float) -> Field:
    """Complex white noise of this standard deviation."""
    parts = generator.standard_normal((2, side, side))
    return deviation * (parts[0] + 1j * parts[1]) / np.sqrt(2)
