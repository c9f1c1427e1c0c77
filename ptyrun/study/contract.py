"""May the later stages of a study use a scan file? Its members, their kinds, shapes and values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.npz import NpzFile

REQUIRED = ("diffraction", "objectGuess", "probeGuess", "xcoords", "ycoords")
SLAB_BYTES = 16 << 20


class Member(Protocol):
    """An array, or the header of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Kind of the values."""


def check_file(path: Path, *, gridsize: int = 1, neighbor_count: int | None = None) -> None:
    """Check a scan file by its members and, frame by frame, by its values.

    Raises
    ------
    InputError
        If it cannot be used; see `check_members` and `check_values`.
    """
    file = NpzFile(path)
    members = {name: file.header(name) for name in file.names if name in REQUIRED}
    check_members(members, gridsize=gridsize, neighbor_count=neighbor_count)
    for name in REQUIRED[1:]:
        check_values(name, file.array(name))
    header = members["diffraction"]
    step = max(1, SLAB_BYTES // (int(np.prod(header.shape[1:])) * header.dtype.itemsize))
    for first in range(0, header.shape[0], step):
        rows = np.arange(first, min(first + step, header.shape[0]))
        check_values("diffraction", file.rows("diffraction", rows))
    file.check("diffraction")
    file.close()


def check_members(
    members: Mapping[str, Member], *, gridsize: int = 1, neighbor_count: int | None = None
) -> None:
    """Check names, kinds and shapes of a scan file's arrays.

    Parameters
    ----------
    members : mapping of arrays or headers
    gridsize : int
        What groups are to be made of the frames: gridsize**2 each.
    neighbor_count : int, optional
        From how many nearest neighbours; needed if gridsize is above 1.

    Raises
    ------
    InputError
        If a member is missing, of another kind or length, there is no frame, frames are not square,
        or a group needs more neighbours than it has.
    """
    if missing := [name for name in REQUIRED if name not in members]:
        raise _refused(
            f"it lacks {', '.join(missing)}; needed are {', '.join(REQUIRED)}",
            "give a canonical scan file, or run the canonicalising stage on it",
        )
    frames = members["diffraction"]
    if frames.dtype.kind != "f":
        raise _refused(
            f"diffraction is {frames.dtype}, not floating point: amplitudes are square roots of "
            "counts",
            "run the canonicalising stage on it, which takes the roots",
        )
    for name in ("objectGuess", "probeGuess"):
        if members[name].dtype.kind != "c":
            raise _refused(f"{name} is {members[name].dtype}, not complex", "store it as complex64")
    for name in ("xcoords", "ycoords"):
        if members[name].dtype.kind != "f":
            raise _refused(f"{name} is {members[name].dtype}, not floating point", "convert it")
    for name in ("xcoords", "ycoords"):
        if members[name].shape != frames.shape[:1]:
            raise _refused(
                f"{name} has shape {members[name].shape}, but diffraction "
                f"{frames.shape}: one coordinate per frame is needed, and frames first",
                "store frames and positions of the same scan",
            )
    if len(frames.shape) != 3 or frames.shape[1] != frames.shape[2] or not min(frames.shape):
        raise _refused(
            f"diffraction has shape {frames.shape}, not a stack of square frames (n, N, N)",
            "store one square frame per position",
        )
    _check_groups(gridsize, neighbor_count)


def check_values(name: str, values: NDArray[Any]) -> None:
    """Check that values are finite and, of diffraction, that no amplitude is negative.

    Raises
    ------
    InputError
        If they are not.
    """
    if n_bad := int((~np.isfinite(values)).sum()):
        raise _refused(f"{n_bad} values of {name} are not finite", "repair or leave out the frames")
    if name == "diffraction" and values.min(initial=0) < 0:
        raise _refused(
            f"diffraction has negative amplitudes, down to {values.min():g}",
            "store the square roots of the counts",
        )


def _check_groups(gridsize: int, neighbor_count: int | None) -> None:
    needed = gridsize**2
    if gridsize > 1 and (neighbor_count is None or neighbor_count < needed):
        raise _refused(
            f"gridsize {gridsize} needs a neighbor_count of {needed} or more, and it is "
            f"{neighbor_count}",
            f"set neighbor_count to {needed} or more",
        )


def _refused(why: str, do: str) -> InputError:
    return InputError("the scan does not meet the study's data contract", why=why, do=do)
