"""Does an HDF5 file have the layout of a ptychodus or pty-chi product?"""

from __future__ import annotations

from ptyrun.ptycho.readers.finished import PTYCHI, Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.ptychodus import (
    X,
    is_product,
    product_pixel_m,
    read_product_object,
    read_product_probe,
    read_product_scan,
)
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan


class Product:
    """Object, probe and positions; frames in the file itself or beside it.

    Source: h5_product_file.py of ptychodus (Argonne).
    """

    card = ReaderCard(
        name="product",
        layout="HDF5 product of ptychodus",
        reads="scan: probe_position_*_m, frames in it, in diffraction.h5, diffraction.npz or "
        "*_dp.hdf5 beside it, matched by index; "
        "reconstruction: object, probe",
        units="metres from the object's centre",
        written_by="ptychodus, pty-chi",
        limits="several layers become their product",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has an object, or positions."""
        if file.format is not Format.HDF5 or not is_product(file.hdf5):
            return Held.NOTHING
        found = Held.SCAN if file.hdf5.dataset(X) is not None else Held.NOTHING
        return found if file.hdf5.dataset("object") is None else found | Held.RECONSTRUCTION

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan."""
        return read_product_scan(file, request.intensity)

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object."""
        probe, weaker_modes = read_product_probe(file.hdf5, None)
        return Reconstruction(
            path=file.path,
            object=read_product_object(file.hdf5),
            label=PTYCHI,
            probe=probe,
            notes=("the object of a ptychodus product",),
            weaker_modes=weaker_modes,
            pixel_size_m=product_pixel_m(file.hdf5),
        )
