"""Does an NPZ have the layout of a ptychodus product?"""

from __future__ import annotations

import numpy as np

from ptyrun.ptycho.readers.diffraction_files import diffraction_of
from ptyrun.ptycho.readers.far_field import positive
from ptyrun.ptycho.readers.finished import PTYCHI, Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_kind import kind_of
from ptyrun.ptycho.readers.matching import Numbered, matched
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.positions import checked_positions
from ptyrun.ptycho.readers.probe_modes import modes_note, stacked_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan, one_size
from ptyrun.ptycho.readers.scan_npz import shared_probe
from ptyrun.ptycho.readers.stacks import only_layers

X, Y, INDEXES = "probe_position_x_m", "probe_position_y_m", "probe_position_indexes"
OBJECT, PROBE = "object", "probe"
HEIGHT, WIDTH = "object_pixel_height_m", "object_pixel_width_m"


class ProductNpz:
    """Object, probe and positions; frames in the file itself or beside it.

    Source: npz_product_file.py and npz_diffraction_file.py of ptychodus (Argonne), which wrote them
    by default up to version 1.1.
    """

    card = ReaderCard(
        name="product-npz",
        layout="NPZ product of ptychodus",
        reads="scan: probe_position_*_m, frames in it, in diffraction.h5 or diffraction.npz beside "
        "it, matched by index; reconstruction: object, probe",
        units="metres from the object's centre",
        written_by="ptychodus up to 1.1",
        limits="several layers become their product",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has positions, or an object with its pixel."""
        if file.format is not Format.NPZ:
            return Held.NOTHING
        found = Held.SCAN if X in file.npz and Y in file.npz else Held.NOTHING
        has_object = OBJECT in file.npz and (HEIGHT in file.npz or X in file.npz)
        return found | Held.RECONSTRUCTION if has_object else found

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan."""
        path, npz = file.path, file.npz
        held = diffraction_of(file)
        x_m, y_m = (npz.array(name) for name in (X, Y))
        checked_positions(path, x_m, y_m, len(np.atleast_1d(x_m)))
        read = (lambda: npz.array(INDEXES)) if INDEXES in npz else None
        pairs = matched(Numbered.of(path, len(np.atleast_1d(x_m)), read), held.numbered)
        pixels_m = positive(path, **{name: _number(npz, name) for name in (HEIGHT, WIDTH)})
        image, said = only_layers(path, OBJECT, npz.array(OBJECT))
        centre_y, centre_x = (_number(npz, f"object_center_{a}_m") or 0.0 for a in "yx")
        y = (y_m[pairs.positions] - centre_y) / pixels_m[0] + image.shape[0] / 2
        x = (x_m[pairs.positions] - centre_x) / pixels_m[1] + image.shape[1] / 2
        probe, weaker = shared_probe(npz, PROBE, held.side)
        return Scan(
            path=path,
            positions_px=checked_positions(path, x, y, len(pairs.frames)),
            patch_px=held.side,
            source=held.chosen(pairs.frames),
            intensity=request.intensity,
            probe=probe,
            weaker_modes=weaker,
            object_guess=image,
            pixel_size_m=one_size((pixels_m[0], pixels_m[1])),
            energy_ev=_number(npz, "probe_energy_eV"),
            distance_m=_number(npz, "detector_object_distance_m"),
            bad_pixels=held.bad,
            notes=(
                f"frames of {held.path.name}, taken as {kind_of(request.intensity)}",
                f"object pixel {pixels_m[0]:.4g} x {pixels_m[1]:.4g} m",
                *said,
                *pairs.notes,
                *modes_note(stacked_modes(probe, weaker)),
            ),
            doubts=(*pairs.doubts, *held.doubts),
            beside=tuple(sorted({*held.linked, held.path} - {path})),
        )

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object."""
        npz = file.npz
        image, said = only_layers(file.path, OBJECT, npz.array(OBJECT))
        probe, weaker = shared_probe(npz, PROBE, None)
        sides = [_number(npz, name) for name in (HEIGHT, WIDTH)]
        return Reconstruction(
            path=file.path,
            object=image,
            label=PTYCHI,
            probe=probe,
            weaker_modes=weaker,
            pixel_size_m=one_size((sides[0], sides[1])) if sides[0] and sides[1] else None,
            notes=("the object of a ptychodus product", *said),
        )


def _number(npz: NpzFile, name: str) -> float | None:
    """Give a positive or negative number that is no zero; None where there is none."""
    if name not in npz or npz.header(name).dtype.kind not in "fiu":
        return None
    values = npz.array(name).reshape(-1)
    return float(values[0]) if values.size == 1 and values[0] and np.isfinite(values[0]) else None
