"""Which finished reconstruction does a file hold, and who made it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.cxi import read_cxi_object
from ptyrun.ptycho.readers.formats import Format, format_of, whatever_is_in
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.ptychodus import read_product_object, read_product_probe
from ptyrun.ptycho.readers.scan import checked_complex, split_modes, stacked_modes
from ptyrun.texts import printable

TIKE, PTYCHI = "Tike", "PtyChi"
NETWORKS, NETWORKS_OBJECT = "recons", "YY_pred"


@dataclass(frozen=True)
class Reconstruction:
    """An object (H, W) complex64 that an iterative program found, and what is known of it.

    ``label`` is what tables call it; ``weaker_modes`` (M - 1, N, N) are those of its probe beside
    the first.
    """

    path: Path
    object: NDArray[np.complex64]
    label: str
    algorithm: str | None = None
    probe: NDArray[np.complex64] | None = None
    computation_time_s: float | None = None
    notes: tuple[str, ...] = ()
    weaker_modes: NDArray[np.complex64] | None = None

    @property
    def probe_modes(self) -> NDArray[np.complex64] | None:
        """All modes of its probe (M, N, N); None where it came without one."""
        return stacked_modes(self.probe, self.weaker_modes)


def open_reconstruction(path: Path) -> Reconstruction:
    """Read a reconstruction, told by what is in the file.

    Raises
    ------
    InputError
        If the file is missing, unreadable or holds no reconstruction, or one of a single value.
    """
    is_npz = format_of(path, "reconstruction") is Format.NPZ
    with whatever_is_in(path, "reconstruction"):
        found = _read_npz(path) if is_npz else _read_hdf5(Hdf5File(path))
    value = found.object.flat[0] if found.object.size else 0
    # Nothing can be said against a flat phase: it would be shown as the best of all.
    if np.all(found.object == value):
        raise InputError(
            f"the reconstruction {path} carries nothing",
            why=f"every value is {value:g}" if value else "every value is 0",
            do="give another one, or leave it out",
        )
    return found


def label_of(algorithm: str | None) -> str:
    """Name the arm as upstream does: tike is Tike, everything else PtyChi."""
    return TIKE if algorithm is not None and algorithm.lower().startswith("tike") else PTYCHI


def _read_npz(path: Path) -> Reconstruction:
    file = NpzFile(path)
    if NETWORKS_OBJECT in file and "reconstructed_object" not in file:
        return _read_networks(path, file)
    found = checked_complex(path, "reconstructed_object", file.array("reconstructed_object"))
    algorithm = file.text("algorithm") if "algorithm" in file else None
    notes = [] if algorithm else ["the file does not say which algorithm made it"]
    probe, weaker_modes = None, None
    if "reconstructed_probe" in file:
        modes = file.array("reconstructed_probe")
        probe, weaker_modes = split_modes(path, "reconstructed_probe", modes)
    time_s, time_notes = _time_s(file)
    if "metadata" in file and file.header("metadata").dtype.hasobject:
        notes.append("its metadata are pickled and were not read")
    return Reconstruction(
        path=path,
        object=found,
        label=label_of(algorithm),
        algorithm=algorithm,
        probe=probe,
        computation_time_s=time_s,
        notes=(*notes, *time_notes),
        weaker_modes=weaker_modes,
    )


def _read_networks(path: Path, file: NpzFile) -> Reconstruction:
    """Read ``recons/MODEL/recon.npz`` of ``grid_lines_compare_wrapper.py``: a network's object."""
    modelled = path.absolute().parent
    return Reconstruction(
        path=path,
        object=checked_complex(path, NETWORKS_OBJECT, file.array(NETWORKS_OBJECT)),
        label=printable(modelled.name) if modelled.parent.name == NETWORKS else PTYCHI,
        notes=("the stitched object of a network",),
    )


def _read_hdf5(file: Hdf5File) -> Reconstruction:
    found = read_cxi_object(file)
    if found is not None:
        return Reconstruction(file.path, found, PTYCHI, notes=("the object of a CXI file",))
    if file.dataset("object") is not None:
        probe, weaker_modes = read_product_probe(file, None)
        return Reconstruction(
            path=file.path,
            object=read_product_object(file),
            label=PTYCHI,
            probe=probe,
            notes=("the object of a ptychodus product",),
            weaker_modes=weaker_modes,
        )
    raise InputError(
        f"{file.path} holds no reconstruction",
        why="it has neither the object of a ptychodus product nor a complex image of CXI",
        do="give an NPZ with reconstructed_object, a product, or a CXI file with image_1",
    )


def _time_s(file: NpzFile) -> tuple[float | None, tuple[str, ...]]:
    for name in ("computation_time_seconds", "computation_time", "reconstruction_time"):
        if name in file and file.header(name).dtype.kind in "fiu":
            values = file.array(name)
            time_s = float(values.reshape(-1)[0]) if values.size else None
            if time_s is None or 0 <= time_s < np.inf:
                return time_s, ()
            return None, (f"its {name} of {time_s:g} s is left out: it is no duration",)
    return None, ()
