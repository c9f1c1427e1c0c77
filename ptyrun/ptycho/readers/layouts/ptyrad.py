"""Does an HDF5 file hold a model of PtyRAD?"""

from __future__ import annotations

import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.probe_modes import split_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ReconstructionReader
from ptyrun.ptycho.readers.stacks import only_layers
from ptyrun.ptycho.readers.units import Quantity, number_in_si

HOME = "optimizable_tensors"
AMPLITUDE, PHASE, PROBE = f"{HOME}/obja", f"{HOME}/objp", f"{HOME}/probe"
PIXEL_ANGSTROM = "model_attributes/dx"
ANGSTROM_M = 1e-10


class Ptyrad(ReconstructionReader):
    """``model_iter*.hdf5``: amplitude and phase (modes, slices, H, W), probe (modes, N, N).

    Source: ``make_save_dict`` of PtyRAD.
    """

    card = ReaderCard(
        name="ptyrad",
        layout="PtyRAD model (.hdf5)",
        reads="reconstruction: optimizable_tensors/obja, objp, probe; model_attributes/dx",
        units="angstrom",
        written_by="PtyRAD",
        limits="slices become their product; the first object mode",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has amplitude and phase of an object."""
        is_one = file.format is Format.HDF5 and all(
            file.hdf5.dataset(name) is not None for name in (AMPLITUDE, PHASE)
        )
        return Held.RECONSTRUCTION if is_one else Held.NOTHING

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object."""
        hdf5 = file.hdf5
        amplitude, phase = hdf5.array(AMPLITUDE), hdf5.array(PHASE)
        if amplitude.shape != phase.shape:
            raise InputError(
                f"amplitude and phase of {file.path} do not fit together",
                why=f"{AMPLITUDE} has shape {amplitude.shape}, {PHASE} {phase.shape}",
                do="get an intact copy of the file",
            )
        stored = amplitude * np.exp(1j * phase)
        n_modes = stored.shape[0] if stored.ndim == 4 else 1
        image, said = only_layers(file.path, HOME, stored[0] if stored.ndim == 4 else stored)
        if n_modes > 1:
            said = (*said, f"the object has {n_modes} modes: the first is taken")
        probe, weaker = None, None
        if (found := hdf5.dataset(PROBE)) is not None:
            values = hdf5.read(found, ())
            if values.dtype.kind == "f" and values.shape[-1] == 2:
                values = values[..., 0] + 1j * values[..., 1]
            probe, weaker = split_modes(file.path, PROBE, values)
        pixel_m = number_in_si(hdf5, PIXEL_ANGSTROM, Quantity.LENGTH, ANGSTROM_M)
        return Reconstruction(
            path=file.path,
            object=image,
            label="PtyRAD",
            algorithm="PtyRAD",
            probe=probe,
            weaker_modes=weaker,
            pixel_size_m=pixel_m if pixel_m and 0 < pixel_m < np.inf else None,
            notes=("amplitude and phase of a PtyRAD model", *said),
        )
