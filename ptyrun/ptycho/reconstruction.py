"""Which finished reconstruction does a file hold, and who made it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.measurement import checked_complex
from ptyrun.ptycho.npz import NpzFile

TIKE, PTYCHI = "Tike", "PtyChi"
ZIP_MAGIC = b"PK"


@dataclass(frozen=True)
class Reconstruction:
    """An object (H, W) complex64 that an iterative program found, and what is known of it.

    ``label`` is what tables call it.
    """

    path: Path
    object: NDArray[np.complex64]
    label: str
    algorithm: str | None = None
    probe: NDArray[np.complex64] | None = None
    computation_time_s: float | None = None
    notes: tuple[str, ...] = ()


def open_reconstruction(path: Path) -> Reconstruction:
    """Read a reconstruction, told by what is in the file.

    Raises
    ------
    InputError
        If the file is missing, unreadable or holds no reconstruction.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise InputError(
            f"the reconstruction {path} cannot be opened",
            why=error.strerror or str(error),
            do="check the path",
        ) from error
    if magic.startswith(ZIP_MAGIC):
        return _read_npz(path)
    raise InputError(
        f"{path} is no reconstruction",
        why=f"it begins with {magic!r}, which is no NPZ file",
        do="give an NPZ file with reconstructed_object",
    )


def label_of(algorithm: str | None) -> str:
    """Name the arm as upstream does: tike is Tike, everything else PtyChi."""
    return TIKE if algorithm is not None and algorithm.lower().startswith("tike") else PTYCHI


def _read_npz(path: Path) -> Reconstruction:
    file = NpzFile(path)
    found = checked_complex(path, "reconstructed_object", file.array("reconstructed_object"))
    algorithm = file.text("algorithm") if "algorithm" in file else None
    notes = [] if algorithm else ["the file does not say which algorithm made it"]
    probe = None
    if "reconstructed_probe" in file:
        modes = file.array("reconstructed_probe")
        probe = checked_complex(
            path, "reconstructed_probe", modes.reshape(-1, *modes.shape[-2:])[0]
        )
    if "metadata" in file and file.header("metadata").dtype.hasobject:
        notes.append("its metadata are pickled and were not read")
    return Reconstruction(
        path=path,
        object=found,
        label=label_of(algorithm),
        algorithm=algorithm,
        probe=probe,
        computation_time_s=_time_s(file),
        notes=tuple(notes),
    )


def _time_s(file: NpzFile) -> float | None:
    for name in ("computation_time_seconds", "computation_time", "reconstruction_time"):
        if name in file and file.header(name).dtype.kind in "fiu":
            values = file.array(name)
            return float(values.reshape(-1)[0]) if values.size else None
    return None
