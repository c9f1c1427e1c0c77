"""Which phase ramp has one field that another has not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

LARGEST_PX = 1024  # side of the spectrum that a ramp is read from

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ramp:
    """A linear phase, in radians per pixel along y and x."""

    y_rad_per_px: float = 0.0
    x_rad_per_px: float = 0.0

    def __add__(self, other: Ramp) -> Ramp:
        return Ramp(self.y_rad_per_px + other.y_rad_per_px, self.x_rad_per_px + other.x_rad_per_px)

    def removed_from(self, image: Complex2D) -> NDArray[np.complex128]:
        """Take the ramp off an image (H, W); the phase of its middle stays."""
        y, x = (np.arange(side) - side / 2 for side in image.shape)
        along_y, along_x = np.exp(-1j * self.y_rad_per_px * y), np.exp(-1j * self.x_rad_per_px * x)
        return np.asarray(image * along_y[:, None] * along_x[None, :], np.complex128)


NO_RAMP = Ramp()


def ramp_between(recon: Complex2D, truth: Complex2D, covered: Mask | None = None) -> Ramp:
    """Find the phase ramp that *recon* has and *truth* has not.

    Its whole cycles are read from the peak of the spectrum of R O*; the rest is a least-squares
    plane through the phase that remains, weighted by |R O*|.
    """
    cross = recon * truth.conj()
    cross = cross if covered is None else np.where(covered, cross, 0)
    found = Ramp(*_peak(cross))
    for _ in range(2):
        found = found + Ramp(*_gradient(found.removed_from(cross)))
    return found


def _peak(cross: Complex2D) -> tuple[float, float]:
    """Frequency of the strongest component, in radians per pixel."""
    middle = cross[tuple(_middle(side) for side in cross.shape)]
    if np.abs(middle).sum(dtype=np.float64) * 4 > np.abs(cross).sum(dtype=np.float64):
        cross = middle  # what is left of a ramp is less than a cycle, and found by its gradient
    padded = tuple(2 * side for side in cross.shape)
    spectrum = np.abs(fft.fft2(cross, padded))
    strongest = np.unravel_index(int(np.argmax(spectrum)), padded)
    frequencies = (fft.fftfreq(side)[i] for side, i in zip(padded, strongest, strict=True))
    y, x = (float(2 * np.pi * frequency) for frequency in frequencies)
    return y, x


def _gradient(cross: NDArray[np.complex128]) -> tuple[float, float]:
    """Weighted least-squares plane through a phase that hardly wraps: its slopes."""
    total = cross.sum()
    if total == 0:
        return 0.0, 0.0
    phase = np.angle(cross * total.conj())
    weight = np.abs(cross)
    y, x = (np.arange(side) - side / 2 for side in cross.shape)
    basis = (np.ones(cross.shape), y[:, None] + 0 * x, x[None, :] + 0 * y[:, None])
    normal = np.array([[np.sum(weight * a * b) for b in basis] for a in basis])
    right = np.array([np.sum(weight * a * phase) for a in basis])
    _, slope_y, slope_x = np.linalg.lstsq(normal, right, rcond=None)[0]
    return float(slope_y), float(slope_x)


def _middle(side: int) -> slice:
    kept = min(side, LARGEST_PX)
    return slice((side - kept) // 2, (side + kept) // 2)
