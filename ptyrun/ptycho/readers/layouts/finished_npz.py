"""Does an NPZ hold a finished reconstruction as PtychoPINN's tools have it?"""

from __future__ import annotations

import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import checked_complex, require_complex
from ptyrun.ptycho.readers.finished import PTYCHI, Reconstruction, label_of
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.probe_modes import split_modes, stacked_modes, variations_note
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ReconstructionReader
from ptyrun.texts import one_line, printable

OBJECT, PROBE = "reconstructed_object", "reconstructed_probe"
NETWORKS, NETWORKS_OBJECT = "recons", "YY_pred"
PIXEL = "pixel_size_m"
TIMES = ("computation_time_seconds", "computation_time", "reconstruction_time")


class FinishedNpz(ReconstructionReader):
    """What PtychoPINN's scripts around tike and pty-chi write, and its networks' ``recon.npz``.

    Source: scripts/reconstruction and scripts/studies of PtychoPINN.
    """

    card = ReaderCard(
        name="reconstruction",
        layout="reconstruction NPZ of PtychoPINN",
        reads="reconstruction: reconstructed_object, reconstructed_probe; or YY_pred of recon.npz",
        units="none",
        written_by="PtychoPINN, ptyrun",
        limits="pickled metadata are not read",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has an object by one of these names."""
        is_one = file.format is Format.NPZ and (OBJECT in file.npz or NETWORKS_OBJECT in file.npz)
        return Held.RECONSTRUCTION if is_one else Held.NOTHING

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object."""
        return _networks(file) if OBJECT not in file.npz else _iterative(file)


def _iterative(foreign: ForeignFile) -> Reconstruction:
    path, file = foreign.path, foreign.npz
    values = file.array(OBJECT)
    require_complex(path, OBJECT, values)
    found = checked_complex(path, OBJECT, values)
    algorithm, notes = _algorithm(file)
    probe, weaker_modes = None, None
    if PROBE in file:
        stored = file.array(PROBE)
        probe, weaker_modes = split_modes(path, PROBE, stored)
        notes += variations_note(stored.size, stacked_modes(probe, weaker_modes))
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
        pixel_size_m=_pixel_m(file),
        weaker_modes=weaker_modes,
    )


def _algorithm(file: NpzFile) -> tuple[str | None, list[str]]:
    if "algorithm" not in file:
        return None, ["its file does not say which algorithm made it"]
    try:
        return file.text("algorithm"), []
    except InputError as error:  # the object can be used without
        return None, [f"its algorithm was not read: {one_line(error.why)}"]


def _networks(file: ForeignFile) -> Reconstruction:
    """Read ``recons/MODEL/recon.npz`` of ``grid_lines_compare_wrapper.py``: a network's object."""
    modelled = file.path.absolute().parent
    values = file.npz.array(NETWORKS_OBJECT)
    require_complex(file.path, NETWORKS_OBJECT, values)
    return Reconstruction(
        path=file.path,
        object=checked_complex(file.path, NETWORKS_OBJECT, values),
        label=printable(modelled.name) if modelled.parent.name == NETWORKS else PTYCHI,
        notes=("the stitched object of a network",),
    )


def _pixel_m(file: NpzFile) -> float | None:
    """What ``ptyrun convert`` knew of the file that it read."""
    if PIXEL not in file or file.header(PIXEL).dtype.kind != "f" or file.header(PIXEL).shape:
        return None
    value = float(file.array(PIXEL))
    return value if 0 < value < np.inf else None


def _time_s(file: NpzFile) -> tuple[float | None, tuple[str, ...]]:
    for name in TIMES:
        if name in file and file.header(name).dtype.kind in "fiu":
            values = file.array(name)
            time_s = float(values.reshape(-1)[0]) if values.size else None
            if time_s is None or 0 <= time_s < np.inf:
                return time_s, ()
            return None, (f"its {name} of {time_s:g} s is left out: it is not a duration",)
    return None, ()
