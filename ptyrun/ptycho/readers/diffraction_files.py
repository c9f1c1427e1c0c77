"""Where do the frames of a ptychodus or pty-chi product lie, and what counts them?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.detector import CorrectedFrames, Mask, checked_bad_pixels, mask_doubts
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_sources import ChosenFrames
from ptyrun.ptycho.readers.hdf5 import Hdf5File, Hdf5Frames, checked_stack
from ptyrun.ptycho.readers.matching import Numbered
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.reader import ForeignFile
from ptyrun.ptycho.readers.scan import FrameSource, require_square_frames
from ptyrun.ptycho.readers.scan_npz import NpzFrames

# ptychodus writes the first; pty-chi's examples have ``dp``, others ``diffraction``.
FRAMES = ("patterns", "diffraction", "dp")
INDEXES, BAD = "indexes", "bad_pixels"
BESIDE = ("diffraction.h5", "diffraction.npz")


@dataclass(frozen=True)
class Diffraction:
    """Frames (m, N, N) of one file, in its order.

    ``numbered`` says what it counts them by; ``bad`` (N, N) marks pixels that were not
    measured; ``linked`` are other files that it leads to.
    """

    path: Path
    name: str
    count: int
    side: int
    source: FrameSource
    numbered: Numbered
    bad: Mask | None
    linked: tuple[Path, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """What makes its mask doubtful."""
        return mask_doubts(self.bad, self.source, self.count)

    def chosen(self, rows: NDArray[np.int64]) -> FrameSource:
        """Give the frames of *rows* (k,), zero at bad pixels."""
        return CorrectedFrames(ChosenFrames(self.source, rows), self.bad)


def diffraction_of(product: ForeignFile) -> Diffraction:
    """Find the frames of a product: in itself, or else in a file of diffraction beside it.

    Raises
    ------
    InputError
        If there are none, or they cannot be used.
    """
    found = _within(product)
    if found is not None:
        return found
    names = [*BESIDE]
    if product.path.stem.endswith("para"):
        names.insert(0, product.path.name.replace("para.", "dp."))
    for name in names:
        path = product.path.with_name(name)
        if path.is_file():
            beside = ForeignFile(path, "diffraction", product.cache_dir, product.links_below)
            if (found := _within(beside)) is not None:
                return found
            raise InputError(
                f"{path} holds no diffraction",
                why=f"it has none of the arrays {', '.join(FRAMES)}",
                do="store the frames as `patterns` (n, N, N)",
            )
    raise InputError(
        f"{product.path} holds no diffraction",
        why="a product has object, probe and positions; no frames lie beside it either: "
        + ", ".join(names),
        do="put diffraction.h5 or diffraction.npz (patterns, indexes) beside it",
    )


def _within(file: ForeignFile) -> Diffraction | None:
    """Open the frames that are in a file itself; its content tells which container it is."""
    return _of_hdf5(file.hdf5) if file.format is Format.HDF5 else _of_npz(file.npz)


def _of_hdf5(file: Hdf5File) -> Diffraction | None:
    frames = file.dataset(*FRAMES)
    if frames is None:
        return None
    side, count = checked_stack(file.path, frames), int(frames.shape[0])
    counted = file.dataset(INDEXES)
    numbered = Numbered.of(file.path, count, counted and (lambda: file.read(counted, ())))
    bad = None
    if (found := file.dataset(BAD)) is not None:
        # Read only where it can be one: a dataset of another shape may be of any size.
        values = file.read(found, ()) if found.shape == (side, side) else found
        bad = checked_bad_pixels(file.path, BAD, values, side)
    source = Hdf5Frames(file, frames, np.arange(count))
    return Diffraction(file.path, frames.name, count, side, source, numbered, bad, file.linked)


def _of_npz(file: NpzFile) -> Diffraction | None:
    name = next((name for name in FRAMES if name in file), None)
    if name is None:
        return None
    header = file.header(name)
    require_square_frames(f"{name} of {file.path}", header.shape, header.dtype)
    count, side = header.shape[:2]
    bad = None
    if BAD in file:
        bad = checked_bad_pixels(file.path, BAD, file.array(BAD), side)
    has_some = INDEXES in file
    numbered = Numbered.of(file.path, count, (lambda: file.array(INDEXES)) if has_some else None)
    source = NpzFrames(file, name, last_axis=False)
    return Diffraction(file.path, name, count, side, source, numbered, bad)
