"""Does an HDF5 file hold a result of cdtools?"""

from __future__ import annotations

import numpy as np

from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.probe_modes import split_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ReconstructionReader
from ptyrun.ptycho.readers.scan import one_size
from ptyrun.ptycho.readers.stacks import as_complex, only_layers
from ptyrun.ptycho.readers.units import Quantity, in_si

OBJECT, PROBE, BASIS = "obj", "probe", "obj_basis"


class Cdtools(ReconstructionReader):
    """``obj``, ``probe``, and ``obj_basis``: vectors (3, 2) along rows and columns, in metres.

    Source: ``FancyPtycho.save_results`` and ``CDIModel.save_to_h5`` of cdtools.
    """

    card = ReaderCard(
        name="cdtools",
        layout="cdtools result (.h5)",
        reads="reconstruction: obj, probe, obj_basis",
        units="metres",
        written_by="cdtools",
        limits="slices become their product; rows and columns as in the detector's frames",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has an object with its basis, and a probe."""
        names = (OBJECT, PROBE, BASIS)
        is_one = file.format is Format.HDF5 and all(
            file.hdf5.dataset(name) is not None for name in names
        )
        return Held.RECONSTRUCTION if is_one else Held.NOTHING

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object."""
        hdf5 = file.hdf5
        stored = as_complex(hdf5.read_records(hdf5.required(OBJECT)))
        image, said = only_layers(file.path, OBJECT, stored)
        modes = as_complex(hdf5.read_records(hdf5.required(PROBE)))
        probe, weaker = split_modes(file.path, PROBE, modes)
        stored_basis = hdf5.required(BASIS)
        basis = in_si(file.path, stored_basis, hdf5.read(stored_basis, ()), Quantity.LENGTH)
        basis = basis.T if basis.shape == (2, 3) else basis
        pixel_m = None
        if basis.shape == (3, 2) and np.isfinite(basis).all():
            along_rows, along_columns = np.linalg.norm(basis, axis=0)
            pixel_m = one_size((float(along_rows), float(along_columns)))
        return Reconstruction(
            path=file.path,
            object=image,
            label="cdtools",
            algorithm="cdtools",
            probe=probe,
            weaker_modes=weaker,
            pixel_size_m=pixel_m,
            notes=("the object of cdtools", *said),
        )
