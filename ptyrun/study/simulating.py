"""What would have been measured of a base at a dose? Frames, made in pieces that windows keep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.config.study import Positions
from ptyrun.engine.window import MARGIN
from ptyrun.errors import GeometryError, InputError, UnfinishedError
from ptyrun.host.clock import boot_clock_s
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.simulation.exposure import (
    FarField,
    amplitude_of_one_photon,
    counted_amplitude,
    noise_generator,
)
from ptyrun.ptycho.simulation.positions import simulated_positions
from ptyrun.study.history import History
from ptyrun.study.npz_writer import Pieces, write_npz
from ptyrun.study.pieces import KeptPieces
from ptyrun.study.plan import BASE
from ptyrun.study.task import Task

PIECE_BYTES = 8 << 20
FRAME = np.dtype(np.float32)
# What histories say instead of a time and a host: equal studies are equal bytes.
STAMP = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Base:
    """What is simulated: object (H, W), probe (N, N), and how many positions the file has."""

    image: NDArray[np.complex64]
    probe: NDArray[np.complex64]
    positions_px: NDArray[np.float64]

    @classmethod
    def read(cls, path: Path) -> Base:
        """Read it from an NPZ.

        Raises
        ------
        InputError
            If the file lacks an array, or one is not what its name says.
        """
        file = NpzFile(path)
        image, probe = (file.array(name) for name in ("objectGuess", "probeGuess"))
        x, y = (file.array(f"{axis}coords") for axis in "xy")
        for name, array in (("objectGuess", image), ("probeGuess", probe)):
            if array.ndim != 2 or array.dtype.kind != "c":
                raise _refusal(path, f"{name} is {array.dtype} of shape {array.shape}", "complex")
        if x.ndim != 1 or x.shape != y.shape or not (x.dtype.kind == y.dtype.kind == "f"):
            raise _refusal(path, f"xcoords is {x.dtype} {x.shape}, ycoords {y.dtype} {y.shape}", "")
        positions = np.column_stack([y, x]).astype(np.float64)
        return cls(image.astype(np.complex64), probe.astype(np.complex64), positions)


def _refusal(path: Path, what: str, kind: str) -> InputError:
    needed = "one complex image" if kind else "one number per position, of the same length"
    return InputError(
        f"{path} cannot be simulated", why=f"{what}; needed is {needed}", do="correct the file"
    )


def simulate(task: Task) -> None:
    """Make ``simulated_raw.npz``: frames at a dose, positions, object and probe of the base."""
    base = Base.read(task.input(BASE))
    exposure = _Exposure(task, base)
    exposure.expose()
    (output,) = task.outputs()
    positions = exposure.positions_px
    frames = Pieces((len(positions), *base.probe.shape), FRAME, exposure.pieces)
    write_npz(
        output,
        {
            "xcoords": positions[:, 1],
            "ycoords": positions[:, 0],
            "xcoords_start": positions[:, 1],
            "ycoords_start": positions[:, 0],
            "diff3d": frames,
            "probeGuess": base.probe,
            "objectGuess": base.image,
            "scan_index": np.zeros(len(positions), np.int64),
            "_metadata": _history(task, base, len(positions)).as_member(),
        },
    )


class _Exposure:
    """Frames at one dose, in pieces."""

    def __init__(self, task: Task, base: Base) -> None:
        self._dose = float(task.value("dose"))
        self._noise_seed = int(task.value("noise_seed"))
        self._window = task.window
        self._kept = KeptPieces(task.pieces)
        self._far_field = FarField(base.image, base.probe)
        self.positions_px = _positions(task, base)
        self._n = len(self.positions_px)
        self._side = base.probe.shape[0]
        self._frame_bytes = self._side**2 * FRAME.itemsize
        self._step = max(1, PIECE_BYTES // self._frame_bytes)
        self._unit = 0.0
        self._made = 0
        self._longest_s = 0.0

    def expose(self) -> None:
        """Make the pieces that are missing.

        Raises
        ------
        UnfinishedError
            If the window closes before.
        """
        totals = [self._piece("intensity", first, self._totals) for first in self._firsts()]
        mean = math.fsum(np.frombuffer(b"".join(totals)).tolist()) / self._n
        self._unit = amplitude_of_one_photon(mean, self._dose)
        for first in self._firsts():
            self._piece("frames", first, self._frames)

    def pieces(self) -> Iterator[bytes]:
        """All frames, in order."""
        return (self._piece("frames", first, self._frames) for first in self._firsts())

    def _firsts(self) -> range:
        return range(0, self._n, self._step)

    def _piece(self, what: str, first: int, make: Any) -> bytes:
        count = min(self._step, self._n - first)
        n_bytes = count * (8 if what == "intensity" else self._frame_bytes)
        name = f"{what}-{first:08d}"
        if (found := self._kept.find(name, n_bytes)) is not None:
            return found
        began_s = boot_clock_s()
        if self._window.remaining_s < MARGIN * self._longest_s:
            raise UnfinishedError(
                f"the window closed: {first} of {self._n} frames ({what}) are there",
                why="the next piece does not fit what is left of it",
                do="run the same command again",
            )
        piece: bytes = make(first, first + count)
        self._kept.keep(name, piece)
        self._longest_s = max(self._longest_s, boot_clock_s() - began_s)
        return piece

    def _totals(self, first: int, stop: int) -> bytes:
        totals = [self._far_field.total(each) for each in self.positions_px[first:stop]]
        return np.array(totals, np.float64).tobytes()

    def _frames(self, first: int, stop: int) -> bytes:
        frames = np.empty((stop - first, self._side, self._side), FRAME)
        for row, index in enumerate(range(first, stop)):
            intensity = self._far_field.intensity(self.positions_px[index])
            rng = noise_generator(self._noise_seed, self._dose, index)
            frames[row] = counted_amplitude(intensity, self._unit, rng)
        return frames.tobytes()


def _positions(task: Task, base: Base) -> NDArray[np.float64]:
    wanted, n_base = task.value("n_images"), len(base.positions_px)
    if task.value("positions") == Positions.BASE:
        n = n_base if wanted is None else int(wanted)
        if n > n_base:
            raise GeometryError(
                f"{n} positions of the base are asked for",
                why=f"it has {n_base}",
                do="lower --n-images, or leave out --positions base",
            )
        return base.positions_px[:n]
    shape = (int(base.image.shape[0]), int(base.image.shape[1]))
    probe = (int(base.probe.shape[0]), int(base.probe.shape[1]))
    n = n_base if wanted is None else int(wanted)
    return simulated_positions(shape, probe, n, int(task.value("seed")))


def _history(task: Task, base: Base, n_images: int) -> History:
    uniform = task.value("positions") == Positions.UNIFORM
    return History(
        {
            "schema_version": "1.0.0",
            "creation_info": {
                "timestamp": STAMP,
                "script": "ptyrun study",
                "hostname": "",
                "ptychopinn_version": "",
            },
            "physics_parameters": {
                "nphotons": int(task.value("dose")),
                "gridsize": 1,
                "N": base.probe.shape[0],
                "probe_trainable": False,
                "intensity_scale_trainable": True,
                "nll_weight": 1.0,
                "model_type": "pinn",
            },
            "training_parameters": {"n_images": n_images, "batch_size": 16, "nepochs": 50},
            "data_transformations": [],
            "additional_parameters": {
                "input_file": f"sha256:{task.inputs[BASE]}",
                "buffer": max(base.probe.shape) // 2,
                "seed": int(task.value("seed")) if uniform else None,
                "noise_seed": int(task.value("noise_seed")),
                "simulation_type": "coordinate_based",
            },
        }
    )
