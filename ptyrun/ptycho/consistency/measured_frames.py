"""What does an object, lit by a probe at their places, promise of measured frames?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.consistency.frame_model import Complex2D
from ptyrun.ptycho.readers.scan import Scan

# Frames modelled at once: what a processor holds near it; changes no figure.
BLOCK_BYTES = 2 << 20
KEPT_BYTES = 128 << 20


@dataclass(frozen=True)
class Frames:
    """Some frames (k,) of a scan, whatever is held against them; read once where they are few.

    Attributes
    ----------
    scan : Scan
        Of the far field.
    numbers : ndarray of int, shape (k,)
        Which frames.
    """

    scan: Scan
    numbers: NDArray[np.int64]

    def are(self, numbers: NDArray[np.int64]) -> bool:
        """Tell whether these are just the frames of these numbers."""
        return np.array_equal(self.numbers, numbers)

    def read(self) -> Iterator[Shots]:
        """Give them block by block."""
        return iter(self._kept) if self.need_bytes(2) <= KEPT_BYTES else self._read()

    def need_bytes(self, n_arrays: int) -> int:
        """What so many real numbers for each of their pixels take."""
        return 4 * n_arrays * len(self.numbers) * self.scan.patch_px**2

    @cached_property
    def _kept(self) -> tuple[Shots, ...]:
        return tuple(self._read())

    def _read(self) -> Iterator[Shots]:
        side = self.scan.patch_px
        step = max(1, BLOCK_BYTES // (8 * side**2))
        for first in range(0, len(self.numbers), step):
            chosen = self.numbers[first : first + step]
            positions_px = self.scan.positions_px[chosen]
            whole = np.rint(positions_px)
            amplitude = fft.ifftshift(self.scan.amplitudes(chosen), axes=(1, 2))
            yield Shots(amplitude, whole.astype(np.int64) - side // 2, positions_px - whole)


@dataclass(frozen=True)
class Shots:
    """Frames (b,) that are modelled at once.

    Attributes
    ----------
    amplitude : ndarray of float32, shape (b, N, N)
        As measured, with the zero frequency in the corner.
    corners : ndarray of int, shape (b, 2)
        Upper left pixels of their patches.
    fraction_px : ndarray of float64, shape (b, 2)
        How far from whole pixels the probe is.
    """

    amplitude: NDArray[np.float32]
    corners: NDArray[np.int64]
    fraction_px: NDArray[np.float64]

    @cached_property
    def total(self) -> NDArray[np.float64]:
        """Sum of the amplitudes of each frame."""
        return sum_of_each(self.amplitude)

    @cached_property
    def power(self) -> NDArray[np.float64]:
        """Sum of their squares."""
        return sum_of_each(self.amplitude, self.amplitude)

    def waves(self, spectra: NDArray[np.complex64]) -> list[NDArray[np.complex64]]:
        """Bring each mode of the probe, (N, N), given by its spectrum, to each place: (b, N, N)."""
        frequencies = fft.fftfreq(self.amplitude.shape[-1])
        y, x = (
            np.exp(-2j * np.pi * np.outer(part, frequencies)).astype(np.complex64)
            for part in self.fraction_px.T
        )
        found = []
        for spectrum in spectra:
            moved = spectrum * y[:, :, None]
            moved *= x[:, None, :]
            found.append(np.asarray(fft.ifft2(moved, overwrite_x=True)))
        return found


@dataclass(frozen=True)
class Measured:
    """Frames and a probe: all that does not depend on the object that is held against them.

    Attributes
    ----------
    frames : Frames
        As measured.
    modes : ndarray of complex, shape (M, N, N)
        The probe's modes, whose intensities add.
    """

    frames: Frames
    modes: NDArray[np.complexfloating[Any, Any]]

    @cached_property
    def is_small(self) -> bool:
        """Whether all of it is kept."""
        return self.frames.need_bytes(2 + 2 * len(self.modes)) <= KEPT_BYTES

    def read(self) -> Iterator[Block]:
        """Give them block by block."""
        return iter(self._kept) if self.is_small else self._read()

    @cached_property
    def _kept(self) -> tuple[Block, ...]:
        return tuple(self._read())

    def _read(self) -> Iterator[Block]:
        spectra = np.asarray(fft.fft2(np.asarray(self.modes, np.complex64)))
        for shots in self.frames.read():
            yield Block(shots, shots.waves(spectra))


@dataclass(frozen=True)
class Block:
    """Frames (b,) that are modelled at once, and each mode of the probe (b, N, N) at each place."""

    shots: Shots
    waves: list[NDArray[np.complex64]]

    def amplitude(self, image: Complex2D) -> NDArray[np.float32]:
        """What an object (H, W) promises, (b, N, N)."""
        side = self.shots.amplitude.shape[-1]
        y, x = self.shots.corners.T
        patches = sliding_window_view(image, (side, side))[y, x].astype(np.complex64, copy=False)
        room = patches if len(self.waves) == 1 else np.empty_like(patches)
        far = (
            fft.fft2(np.multiply(wave, patches, out=room), overwrite_x=True) for wave in self.waves
        )
        if len(self.waves) == 1:
            return np.asarray(np.abs(next(far)))
        intensity = np.zeros(patches.shape, np.float32)
        for each in far:
            intensity += each.real**2
            intensity += each.imag**2
        return np.sqrt(intensity, out=intensity)


def sum_of_each(
    values: NDArray[np.float32], weights: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """Sum the pixels of each frame, by *weights* if there are some: rows first, which are short.

    Parameters
    ----------
    values, weights : ndarray of float32, shape (b, N, N)
        Not negative.

    Returns
    -------
    ndarray of float64, shape (b,)
        As in double precision, but for its last digits.
    """
    if weights is None:
        rows = np.einsum("ijk->ij", values)
    else:
        rows = np.einsum("ijk,ijk->ij", values, weights)
    return np.asarray(rows.sum(axis=1, dtype=np.float64))
