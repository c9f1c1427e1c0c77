"""What was measured? Diffraction amplitudes, positions, probe and, where known, the object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.frame_survey import Survey as Survey
from ptyrun.ptycho.readers.positions import PositionsField
from ptyrun.ptycho.readers.probe_modes import stacked_modes
from ptyrun.texts import counted

BLOCK_BYTES = 1 << 20
_SQUARE = 1e-3


class FrameSource(Protocol):
    """Where frames come from; read in slices, so that memory stays flat."""

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Read frames as they are stored.

        Parameters
        ----------
        frames : ndarray of int64, shape (k,)
            Numbers of the frames.

        Returns
        -------
        ndarray, shape (k, N, N)
            Amplitudes or intensities, as the scan says.
        """

    def check(self) -> None:
        """Check the frames against the file's own checksum, where it has one.

        Raises
        ------
        InputError
            If it does not match.
        """


@dataclass(frozen=True, repr=False)
class Scan:
    """A measured scan, opened but not read.

    Parameters
    ----------
    path : Path
        Where it came from.
    positions_px : ndarray of float64, shape (n, 2)
        Patch centres as (y, x) in object pixels; given as `StoredPositions`, they are read when
        they are first asked for.
    patch_px : int
        Side N of a diffraction frame and of a patch.
    source : FrameSource
        The frames as stored.
    intensity : bool
        Whether the stored frames are intensities, whose root is the amplitude.
    probe : ndarray of complex64, shape (N, N), optional
    object_guess : ndarray of complex64, shape (H, W), optional
        The object, or a reconstruction of it.
    object_is_truth : bool
        Whether somebody says that the object is just that which the frames are of: a simulation
        knows. Anything else is a reference: one more noisy measurement.
    object_path : Path, optional
        The file that the object is of, where it is another one.
    near_field : bool
        Whether the frames were taken in the near field, where far-field networks do not apply.
    notes : tuple of str
        What was assumed.
    doubts : tuple of str
        What makes it doubtful that it was read as it is meant.
    weaker_modes : ndarray of complex64, shape (M - 1, N, N), optional
        Modes of the probe beside *probe*; they add incoherently to what is measured.
    pixel_size_m : float, optional
        Side of an object pixel in metres, where the file says it.
    photons_per_frame : float, optional
        How many photons a frame has on average, where the file says it.
    energy_ev, distance_m : float, optional
        Photons' energy, and from the object to the detector, where the file says it.
    bad_pixels : ndarray of bool, shape (N, N), optional
        Pixels of the detector that were not measured; they are zero in each frame.
    entry : str
        Which of several entries of a file was taken.
    reader : str
        Name of the reader that opened it.
    beside : tuple of Path
        Other files that it is read from.
    surveyed : Survey, optional
        What an earlier pass over just these frames found; they are not read again for it.
    """

    path: Path
    # To mypy a default; it is none: what makes a scan has to give them.
    positions_px: PositionsField = PositionsField()  # noqa: RUF009
    patch_px: int  # type: ignore[misc]
    source: FrameSource  # type: ignore[misc]
    intensity: bool  # type: ignore[misc]
    probe: NDArray[np.complex64] | None = None
    object_guess: NDArray[np.complex64] | None = None
    object_is_truth: bool = False
    object_path: Path | None = None
    near_field: bool = False
    notes: tuple[str, ...] = ()
    surveyed: Survey | None = None
    weaker_modes: NDArray[np.complex64] | None = None
    pixel_size_m: float | None = None
    doubts: tuple[str, ...] = ()
    photons_per_frame: float | None = None
    energy_ev: float | None = None
    distance_m: float | None = None
    bad_pixels: NDArray[np.bool_] | None = None
    entry: str = ""
    reader: str = ""
    beside: tuple[Path, ...] = ()

    def __repr__(self) -> str:
        """Say what it is, without its arrays."""
        image, modes = self.object_guess, self.probe_modes
        parts = (
            f"{self.n_frames} frames of {self.patch_px} x {self.patch_px} px",
            "intensities" if self.intensity else "amplitudes",
            "no probe" if modes is None else counted(len(modes), "mode of a probe"),
            "no object"
            if image is None
            else f"{self.object_role} of {image.shape[0]} x {image.shape[1]} px",
            self.reader and f"read as {self.reader}",
        )
        return f"<Scan {self.path}: {', '.join(filter(None, parts))}>"

    @property
    def probe_modes(self) -> NDArray[np.complex64] | None:
        """All modes of the probe (M, N, N), `probe` first; None without one."""
        return stacked_modes(self.probe, self.weaker_modes)

    @property
    def has_ground_truth(self) -> bool:
        """Whether there is an object that is the truth."""
        return self.object_guess is not None and self.object_is_truth

    @property
    def has_reference(self) -> bool:
        """Whether there is an object that is not known to be the truth."""
        return self.object_guess is not None and not self.object_is_truth

    @property
    def object_role(self) -> str:
        """What texts call the object."""
        return "ground truth" if self.object_is_truth else "reference"

    @property
    def object_name(self) -> str:
        """What texts about the scan call its object: by its file, where it has one of its own."""
        if self.object_path is None:
            return "its objectGuess"
        return f"the {self.object_role} {self.object_path.name}"

    @property
    def n_frames(self) -> int:
        """Number of frames and of positions."""
        return len(vars(self)["positions_px"])

    def changed(self, **changes: Any) -> Self:
        """Give a copy with other values; unlike `dataclasses.replace`, it asks for no positions.

        Parameters
        ----------
        **changes
            Fields and their new values.

        Returns
        -------
        Scan
            The copy.
        """
        held = {field.name: vars(self)[field.name] for field in fields(self)}
        return type(self)(**{**held, **changes})

    def amplitudes(self, frames: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Read the amplitudes of some frames.

        Parameters
        ----------
        frames : ndarray of int, shape (k,)
            Numbers of the frames.

        Returns
        -------
        ndarray of float32, shape (k, N, N)
            Amplitudes with the zero frequency in the middle, in the order of *frames*.
        """
        stored = self.source.read(np.asarray(frames, np.int64))
        amplitude = stored.astype(np.float32, copy=False)
        return np.sqrt(amplitude) if self.intensity else amplitude

    def energies(self) -> NDArray[np.float64]:
        """Sum the squared amplitude of each frame; see :attr:`survey`.

        Returns
        -------
        ndarray of float64, shape (n,)
            In the square of the amplitudes' unit: photons, where they are roots of counts.
        """
        return self.survey.energies

    @cached_property
    def survey(self) -> Survey:
        """One pass over all frames.

        Raises
        ------
        InputError
            If a frame is negative or not finite, all are zero, or the file is damaged.
        """
        if self.surveyed is not None:
            return self.surveyed
        self.source.check()
        energies = np.empty(self.n_frames)
        maximum, total = 0.0, 0.0
        for frames in self._blocks():
            energies[frames], highest, added = self._sums(frames)
            maximum = max(maximum, highest)
            total += added
        if maximum == 0:
            raise InputError(
                f"the diffraction of {self.path} is zero everywhere",
                why="no frame holds a single count"
                + (" outside of the mask" if self.bad_pixels is not None else ""),
                do="check that the file was written completely"
                + (
                    ", and that its mask does not mark the good pixels"
                    if self.bad_pixels is not None
                    else ""
                ),
            )
        return Survey(energies, maximum, total / (self.n_frames * self.patch_px**2))

    def _sums(self, frames: NDArray[np.int64]) -> tuple[NDArray[np.float64], float, float]:
        """Energies of some frames, and maximum and sum of their amplitudes."""
        stored = self.source.read(frames)
        self._check(frames, stored)
        values = stored.astype(np.float64)
        del stored
        amplitude = np.sqrt(values, out=values) if self.intensity else values
        energies = np.einsum("nij,nij->n", amplitude, amplitude)
        return energies, float(amplitude.max()), float(amplitude.sum())

    def _blocks(self) -> Iterator[NDArray[np.int64]]:
        step = max(1, BLOCK_BYTES // (8 * self.patch_px**2))
        for first in range(0, self.n_frames, step):
            yield np.arange(first, min(first + step, self.n_frames))

    def _check(self, frames: NDArray[np.int64], stored: NDArray[Any]) -> None:
        low = stored.min(axis=(1, 2))
        high = stored.max(axis=(1, 2))
        bad = ~(np.isfinite(low) & np.isfinite(high)) | (low < 0)
        if stored.dtype.kind in "iu":
            # Detectors write the largest integer for no value; short ones hold it where saturated.
            bad |= (high if stored.dtype.itemsize >= 4 else low) == np.iinfo(stored.dtype).max
        if bad.any():
            first = int(np.argmax(bad))
            raise InputError(
                f"the diffraction of {self.path} is not usable",
                why=f"frame {frames[first]} has values from {low[first]:.6g} to {high[first]:.6g}",
                do="mask or replace values that are NaN, infinite, negative or the largest integer",
            )


def require_square_frames(
    where: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    do: str = "crop the detector to a square around the beam, shape (n, N, N)",
) -> None:
    """See that *where*, which errors name, are real frames (n, N, N).

    Raises
    ------
    InputError
        If they are anything else.
    """
    if len(shape) != 3 or shape[1] != shape[2] or min(shape) == 0 or dtype.kind not in "fiu":
        raise InputError(
            f"{where} is not a stack of square frames", why=f"it is {dtype} of shape {shape}", do=do
        )


def one_size(pixel_m: tuple[float, float]) -> float | None:
    """Give the side of square pixels (y, x) in metres; None where they are not square."""
    y_m, x_m = pixel_m
    return (y_m + x_m) / 2 if y_m > 0 and abs(y_m - x_m) <= _SQUARE * y_m else None
