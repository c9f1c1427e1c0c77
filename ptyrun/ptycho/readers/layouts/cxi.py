"""Does an HDF5 file have the layout of CXI?"""

from __future__ import annotations

from ptyrun.ptycho.readers.cxi import has_frames, read_cxi_scan
from ptyrun.ptycho.readers.cxi_images import image_pixel_m, object_of, read_cxi_object
from ptyrun.ptycho.readers.finished import PTYCHI, Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan


class Cxi:
    """CXI, versions 1.3 to 1.6, and NXcxi_ptycho.

    Source: the CXI file format of cxidb.org; NXcxi_ptycho of the NeXus definitions.
    """

    card = ReaderCard(
        name="cxi",
        layout="CXI",
        reads="scan: frames, mask, translations, geometry, probe; reconstruction: a complex image",
        units="as its `units` say, else metres and joules",
        written_by="cdtools, PyNX, beamlines (COSMIC, ESRF, SOLEIL, Diamond)",
        limits="square frames; one mask for all frames; one entry: entry_last, else the newest; "
        "objects of real space, halves in place",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has frames or an image where CXI has them."""
        if file.format is not Format.HDF5:
            return Held.NOTHING
        found = Held.SCAN if has_frames(file.hdf5) else Held.NOTHING
        return found if object_of(file.hdf5) is None else found | Held.RECONSTRUCTION

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan."""
        return read_cxi_scan(file.hdf5, request.intensity)

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the image."""
        found, said = read_cxi_object(file.hdf5)
        return Reconstruction(
            file.path,
            found,
            PTYCHI,
            notes=("the object of a CXI file", *said),
            pixel_size_m=image_pixel_m(file.hdf5),
        )
