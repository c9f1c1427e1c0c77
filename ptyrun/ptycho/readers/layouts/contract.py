"""Does an NPZ hold a scan as PtychoPINN's data contract has it?"""

from __future__ import annotations

from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan
from ptyrun.ptycho.readers.scan_npz import FRAME_NAMES, read_contract


class Contract:
    """PtychoPINN's NPZ: ``diffraction`` or legacy ``diff3d``, ``xcoords``, ``ycoords``.

    Source: specs/data_contracts.md of PtychoPINN.
    """

    card = ReaderCard(
        name="contract",
        layout="scan NPZ of PtychoPINN",
        reads="scan: diffraction or diff3d, xcoords, ycoords, probeGuess, objectGuess",
        units="object pixels",
        written_by="PtychoPINN, ptyrun",
        limits="square frames",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has frames or positions by these names."""
        names = (*FRAME_NAMES, "xcoords", "ycoords")
        is_one = file.format is Format.NPZ and any(name in file.npz for name in names)
        return Held.SCAN if is_one else Held.NOTHING

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan."""
        return read_contract(file.path, request.diffraction_kind, request.cache_dir)

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Never asked: objectGuess is no result."""
        raise NotImplementedError
