"""Which phase ramp has one field that another has not?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft

LARGEST_PX = 512  # side of the spectrum that a ramp is read from
GROWTH = 2  # from which a plane is followed outwards
# Of the strength per pixel of all, what the middle must have to be read alone.
STRONG = 0.5

ALIKE = 0.7  # of all strength, what adds up where a ramp is less than half a turn

Complex2D = NDArray[np.complexfloating[Any, Any]]
Precise = TypeVar("Precise", NDArray[np.complex64], NDArray[np.complex128], Complex2D)
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ramp:
    """A linear phase.

    Attributes
    ----------
    y_rad_per_px, x_rad_per_px : float
        Along each axis, in radians per pixel.
    """

    y_rad_per_px: float = 0.0
    x_rad_per_px: float = 0.0

    def __add__(self, other: Ramp) -> Ramp:
        return Ramp(self.y_rad_per_px + other.y_rad_per_px, self.x_rad_per_px + other.x_rad_per_px)

    def removed_from(self, image: Precise) -> Precise:
        """Take the ramp off an image (H, W); the phase of its middle stays.

        Parameters
        ----------
        image : ndarray of complex, shape (H, W)
            The field.

        Returns
        -------
        ndarray of complex, shape (H, W)
            Without it, in the image's precision.
        """
        if self == NO_RAMP:
            return image
        y, x = (np.arange(side) - side / 2 for side in image.shape)
        along_y, along_x = (
            np.exp(-1j * rad_per_px * axis).astype(image.dtype)
            for rad_per_px, axis in ((self.y_rad_per_px, y), (self.x_rad_per_px, x))
        )
        flat: Precise = image * along_y[:, None]
        flat *= along_x[None, :]
        return flat


NO_RAMP = Ramp()


def ramp_between(recon: Complex2D, truth: Complex2D, covered: Mask | None = None) -> Ramp:
    """Find the phase ramp that *recon* has and *truth* has not.

    Its whole cycles are read from the peak of the spectrum of R O*, in the middle of a large image;
    the rest is a least-squares plane through the phase that remains, weighted by |R O*|, followed
    from there outwards.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
        R and O, on one grid.
    covered : ndarray of bool, shape (H, W), optional
        Which pixels count (default: all).

    Returns
    -------
    Ramp
        In radians per pixel.
    """
    return _anywhere(_Product.of(recon, truth, covered))


def _anywhere(cross: _Product) -> Ramp:
    strength = float(cross.weight.mean(dtype=np.float64))
    side, largest = LARGEST_PX, max(cross.weight.shape)
    middle = cross.middle(side)
    if float(middle.weight.mean(dtype=np.float64)) < STRONG * strength:
        side, middle = largest, cross
    found = Ramp(*_peak(middle.values))
    while side < largest:
        found = found + cross.middle(side).rest(found)
        side *= GROWTH
    for _ in range(2):
        found = found + cross.rest(found)
    return found


def slight_ramp_between(recon: Complex2D, truth: Complex2D, covered: Mask | None = None) -> Ramp:
    """As :func:`ramp_between`, of a ramp that is known to be less than a cycle.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
        R and O, on one grid.
    covered : ndarray of bool, shape (H, W), optional
        Which pixels count (default: all).

    Returns
    -------
    Ramp
        In radians per pixel.
    """
    return _Product.of(recon, truth, covered).rest(NO_RAMP)


def near_ramp_between(
    known: Ramp, recon: Complex2D, truth: Complex2D, covered: Mask | None = None
) -> Ramp:
    """As :func:`ramp_between`, where the ramp is probably near one that is *known*.

    It is where phases are mostly alike without that one; else it is looked for anywhere.

    Parameters
    ----------
    known : Ramp
        As it was found of the same images, one of them moved.
    recon, truth : ndarray of complex, shape (H, W)
        R and O, on one grid.
    covered : ndarray of bool, shape (H, W), optional
        Which pixels count (default: all).

    Returns
    -------
    Ramp
        In radians per pixel.
    """
    cross = _Product.of(recon, truth, covered)
    flat = cross.without(known)
    strength = float(flat.weight.sum(dtype=np.float64))
    if abs(complex(flat.values.sum(dtype=np.complex128))) < ALIKE * strength:
        return _anywhere(cross)
    rest = flat.rest(NO_RAMP)
    return known + rest + flat.rest(rest)


@dataclass(frozen=True)
class _Product:
    """R O* of two fields, (h, w), and how much the phase of each pixel counts: the modulus."""

    values: Complex2D
    weight: NDArray[np.floating[Any]]

    @classmethod
    def of(cls, recon: Complex2D, truth: Complex2D, covered: Mask | None) -> Self:
        values = recon * truth.conj()
        if covered is not None and not covered.all():
            values[~covered] = 0
        return cls(values, np.abs(values))

    def without(self, ramp: Ramp) -> Self:
        return replace(self, values=ramp.removed_from(self.values))

    def middle(self, side_px: int) -> Self:
        inside = tuple(
            slice((side - min(side, side_px)) // 2, (side + min(side, side_px)) // 2)
            for side in self.weight.shape
        )
        return type(self)(self.values[inside], self.weight[inside])

    def rest(self, known: Ramp) -> Ramp:
        """Weighted least-squares plane through what phase a *known* ramp leaves, hardly wrapped."""
        flat = known.removed_from(self.values)
        total = complex(flat.sum(dtype=np.complex128))
        if total == 0:
            return NO_RAMP
        phase = np.angle(flat * flat.dtype.type(np.conj(total) / abs(total)))
        phase *= self.weight
        y, x = (np.arange(side) - side / 2 for side in phase.shape)
        right = np.array([phase.sum(), phase.sum(axis=1) @ y, phase.sum(axis=0) @ x])
        _, slope_y, slope_x = np.linalg.lstsq(self._normal, right, rcond=None)[0]
        return Ramp(float(slope_y), float(slope_x))

    @cached_property
    def _normal(self) -> NDArray[np.float64]:
        """Sums (3, 3) of the weights by one, y and x."""
        y, x = (np.arange(side) - side / 2 for side in self.weight.shape)
        rows, columns = self.weight.sum(axis=1), self.weight.sum(axis=0)
        w, wy, wx = float(rows.sum()), float(rows @ y), float(columns @ x)
        wyx = float(y @ np.einsum("ij,j->i", self.weight, x))
        return np.array(
            [[w, wy, wx], [wy, float(rows @ y**2), wyx], [wx, wyx, float(columns @ x**2)]]
        )


def _peak(cross: Complex2D) -> tuple[float, float]:
    """Frequency of the strongest component, in radians per pixel."""
    height, width = (fft.next_fast_len(2 * side) for side in cross.shape)
    largest = float(np.abs(cross).max())
    # Single precision has no room for what is very faint.
    single = (cross / (largest or 1.0)).astype(np.complex64)
    # Rows first: those that are added need no transform.
    spectrum = np.abs(fft.fft(fft.fft(single, width, axis=1), height, axis=0))
    strongest = np.unravel_index(int(np.argmax(spectrum)), (height, width))
    frequencies = (fft.fftfreq(side)[i] for side, i in zip((height, width), strongest, strict=True))
    y, x = (float(2 * np.pi * frequency) for frequency in frequencies)
    return y, x
