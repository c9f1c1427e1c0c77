"""Does an NPZ hold a scan as PtychoPINN's data contract has it?"""

from __future__ import annotations

import math
from typing import Any

from ptyrun.errors import InputError
from ptyrun.host.typed_json import parse_any
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.ptychodus import X
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanReader, ScanRequest
from ptyrun.ptycho.readers.scan import Scan
from ptyrun.ptycho.readers.scan_npz import FRAME_NAMES, read_contract

METADATA = "_metadata"
POSITIONS = ("xcoords", "ycoords")


class Contract(ScanReader):
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
        """It has frames or positions by these names, and no product's positions."""
        names = (*FRAME_NAMES, *POSITIONS)
        if file.format is not Format.NPZ or not any(name in file.npz for name in names):
            return Held.NOTHING
        is_product = X in file.npz and not any(name in file.npz for name in POSITIONS)
        return Held.NOTHING if is_product else Held.SCAN

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan, with what ``ptyrun convert`` knew of the file that it read."""
        scan = read_contract(file.path, request.diffraction_kind, request.cache_dir)
        known = _converted(file)
        return scan.changed(
            pixel_size_m=scan.pixel_size_m or _positive(known, "pixel_size_m"),
            energy_ev=scan.energy_ev or _positive(known, "energy_ev"),
            distance_m=scan.distance_m or _positive(known, "distance_m"),
            near_field=scan.near_field or known.get("near_field") is True,
        )


def _converted(file: ForeignFile) -> dict[str, Any]:
    if METADATA not in file.npz or file.npz.header(METADATA).dtype.kind != "U":
        return {}
    try:
        said = parse_any(file.npz.text(METADATA))
    except (InputError, ValueError):
        return {}
    return said if isinstance(said, dict) and "converted_from" in said else {}


def _positive(known: dict[str, Any], name: str) -> float | None:
    value = known.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 < value < math.inf else None
