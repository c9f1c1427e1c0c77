"""Which object do overlapping diffraction frames show? The extended ptychographic iterative engine.

Source: A. M. Maiden, J. M. Rodenburg, Ultramicroscopy 109, 1256 (2009),
doi:10.1016/j.ultramic.2009.05.012.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ptyrun.ptycho.reconstruction.frames import energy
from ptyrun.ptycho.reconstruction.reconstructor import (
    Found,
    ReconstructionError,
    ReconstructionRequest,
    State,
)

FRAMES_PER_STEP = 32
OBJECT_STEP = PROBE_STEP = np.float32(1)  # alpha and beta of the paper
DARK = np.float32(1e-12)

Complex2D = NDArray[np.complex64]


class Epie:
    r"""The ePIE: one frame after the other, each in turn once per epoch, in an order from the seed.

    Notes
    -----
    With the exit wave :math:`\psi = P O_j` of the object's patch :math:`O_j`, and :math:`\psi'` the
    same with the measured amplitudes in the far field,

    .. math::

        O_j \leftarrow O_j + \frac{\bar P}{\max |P|^2} (\psi' - \psi), \quad
        P \leftarrow P + \frac{\bar O_j}{\max |O_j|^2} (\psi' - \psi),

    the second only if the probe is to be updated. Between pixels the object is interpolated
    bilinearly, as `FarField` does, and corrected by the adjoint of that. It begins as the constant
    that gives the frames their energy. ``loss`` of an epoch is
    :math:`\sum (|F\psi| - A)^2 / \sum A^2` over its frames, each when its turn came.

    What it computes depends on the request alone: a process that goes on from `state` ends in the
    same bits as one that was never interrupted.
    """

    algorithm = "ePIE"

    def __init__(self, request: ReconstructionRequest, state: State, frames_energy: float) -> None:
        n, side = len(request.positions_px), request.probe.shape[0]
        self._n, self._side = n, side
        self._frames, self._energy = request.amplitudes, frames_energy
        self._shape, self._seed = request.object_shape, request.seed
        self._updates_probe = request.update_probe
        self._corners = _corners(request)
        fractions = request.positions_px - np.floor(request.positions_px)
        self._fractions = fractions.astype(np.float32)
        self._object: Complex2D = state["object"].copy()
        self._probe: Complex2D = state["probe"].copy()
        self._loss: list[float] = state["loss"].tolist()
        self._epoch_loss = float(state["epoch_loss"])
        self._in_epoch = int(state["frames_of_epoch"])
        self._order = self._drawn()
        self._take_probe()

    @classmethod
    def open(cls, request: ReconstructionRequest, state: State | None = None) -> Self:
        """Begin, or go on from a state.

        Raises
        ------
        ReconstructionError
            If the state is not one of this request, or a frame does not touch the object.
        """
        frames_energy = energy(request.amplitudes)
        begun = _beginning(request, frames_energy)
        if state is None:
            return cls(request, begun, frames_energy)
        for name, array in begun.items():
            kept = state.get(name)
            is_like = kept is not None and kept.dtype == array.dtype
            if not is_like or (name != "loss" and kept is not None and kept.shape != array.shape):
                raise _refusal(f"its {name} is not {array.dtype} of shape {array.shape}")
        n_done, frames = state["loss"].shape, int(state["frames_of_epoch"])
        if (
            len(n_done) != 1
            or n_done[0] > request.epochs
            or not 0 <= frames < len(request.positions_px)
        ):
            raise _refusal(f"it is {n_done} epochs and {frames} frames on")
        return cls(request, state, frames_energy)

    @property
    def epochs_done(self) -> int:
        """Passes over all frames so far."""
        return len(self._loss)

    def advance(self) -> None:
        """Take the next 32 frames, or those that are left of the epoch."""
        stop = min(self._n, self._in_epoch + FRAMES_PER_STEP)
        numbers = self._order[self._in_epoch : stop]
        measured = fft.ifftshift(self._frames[numbers], axes=(1, 2))
        for frame, amplitudes in zip(numbers.tolist(), measured, strict=True):
            self._epoch_loss += self._update(frame, amplitudes)
        self._in_epoch = stop
        if stop == self._n:
            self._loss.append(self._epoch_loss / self._energy)
            self._epoch_loss, self._in_epoch = 0.0, 0
            self._order = self._drawn()

    def state(self) -> dict[str, NDArray[Any]]:
        """Give object and probe as they are, and how far it is."""
        return {
            "object": self._object.copy(),
            "probe": self._probe.copy(),
            "loss": np.array(self._loss, np.float64),
            "epoch_loss": np.array(self._epoch_loss),
            "frames_of_epoch": np.array(self._in_epoch, np.int64),
        }

    def found(self) -> Found:
        """Give the object as it is now; what no frame lights has its first value still."""
        inner = tuple(slice(self._side, self._side + length) for length in self._shape)
        loss = np.array(self._loss, np.float64)
        return Found(self._object[inner].copy(), self._probe.copy(), loss)

    def close(self) -> None:
        """Let go of nothing: it all goes with this."""

    def _drawn(self) -> NDArray[np.int64]:
        """Draw the order of the epoch that is next; no state is needed to draw it again."""
        return np.random.default_rng([self._seed, self.epochs_done]).permutation(self._n)

    def _take_probe(self) -> None:
        self._towards_object = np.conj(self._probe) * (
            OBJECT_STEP / np.max(_intensity(self._probe))
        )

    def _update(self, frame: int, measured: NDArray[np.float32]) -> float:
        """Let one frame correct the object; give its part of the loss."""
        y, x = self._corners[frame].tolist()
        down, right = self._fractions[frame]
        seen = self._object[y : y + self._side + 1, x : x + self._side + 1]
        rows = (1 - down) * seen[:-1] + down * seen[1:]
        patch = (1 - right) * rows[:, :-1] + right * rows[:, 1:]
        wave = self._probe * patch
        far = fft.fft2(wave, norm="ortho")
        amplitude = np.abs(far)
        missed = amplitude - measured
        far *= measured / np.maximum(amplitude, DARK)
        change = fft.ifft2(far, norm="ortho")
        change -= wave
        correction = self._towards_object * change
        rows[:, :-1] = (1 - right) * correction
        rows[:, -1] = 0
        rows[:, 1:] += right * correction
        seen[:-1] += (1 - down) * rows
        seen[1:] += down * rows
        if self._updates_probe:
            step = PROBE_STEP / max(np.max(_intensity(patch)), DARK)
            self._probe += step * np.conj(patch) * change
            self._take_probe()
        return _total(missed)


def _beginning(request: ReconstructionRequest, frames_energy: float) -> dict[str, NDArray[Any]]:
    """Give the state before the first frame: an even object, the probe as it was given."""
    side = request.probe.shape[0]
    padded = np.array(request.object_shape) + 2 * side
    corners = _corners(request)
    outside = np.flatnonzero(((corners < 0) | (corners + side >= padded)).any(axis=1))
    if len(outside):
        frame = int(outside[0])
        raise ReconstructionError(
            f"frame {frame} does not touch the object",
            why=f"it lies at (y, x) = {request.positions_px[frame].tolist()}, and the object has "
            f"{request.object_shape} pixels",
            do="give positions in pixels of the object",
        )
    light = _total(np.abs(request.probe)) * len(request.positions_px)
    if not light > 0 or not frames_energy > 0:
        raise ReconstructionError(
            "there is no signal",
            why="the probe is zero everywhere" if not light > 0 else "no frame holds a count",
            do="check the file's probe and diffraction",
        )
    even = np.sqrt(frames_energy / light)
    return {
        "object": np.full(padded, even, np.complex64),
        "probe": request.probe.astype(np.complex64),
        "loss": np.empty(0, np.float64),
        "epoch_loss": np.array(0.0),
        "frames_of_epoch": np.array(0, np.int64),
    }


def _corners(request: ReconstructionRequest) -> NDArray[np.int64]:
    """Give the first row and column of each patch on the object with a margin of N pixels."""
    side = request.probe.shape[0]
    return np.asarray(np.floor(request.positions_px) - side // 2 + side, np.int64)


def _intensity(wave: Complex2D) -> NDArray[np.float32]:
    return np.asarray(wave.real**2 + wave.imag**2)


def _total(amplitude: NDArray[np.float32]) -> float:
    """Sum of squares in double precision."""
    flat = amplitude.reshape(len(amplitude), -1)
    return sum(float(np.sum(np.square(row), dtype=np.float64)) for row in flat)


def _refusal(why: str) -> ReconstructionError:
    return ReconstructionError(
        "the saved state does not fit the requested reconstruction",
        why=why,
        do="delete it; the reconstruction then starts from the beginning",
    )
