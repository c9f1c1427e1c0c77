"""Does an EMD file hold a scan or a result of py4DSTEM?"""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_kind import kind_of
from ptyrun.ptycho.readers.frame_sources import GridFrames
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.probe_modes import split_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan
from ptyrun.ptycho.readers.stacks import only_layers

GROUP_TYPE, DATA = "emd_group_type", "data"
OBJECTS = ("reconstruction_object", "_object_emd")
PROBES = ("reconstruction_probe", "_probe_emd")
CALIBRATION = "calibration"
MAX_DEPTH, MAX_NODES = 6, 2000
METRES = {"A": 1e-10, "nm": 1e-9, "um": 1e-6, "m": 1.0}
PER_METRE = {"A^-1": 1e10, "1/A": 1e10, "nm^-1": 1e9, "1/nm": 1e9}


@dataclass(frozen=True)
class _Found:
    """Paths of what a file holds; empty where there is none."""

    cube: str = ""
    cubes: int = 0
    object: str = ""
    probe: str = ""
    calibration: str = ""


class Emd:
    """A data cube (rows, columns, N, N) on a raster, or the arrays of a reconstruction.

    Source: the EMD 1.0 definition of emdfile, and ``DataCube`` and ``Calibration`` of py4DSTEM
    (doi:10.1017/S1431927621000477).
    """

    card = ReaderCard(
        name="emd",
        layout="EMD of py4DSTEM (.h5, .emd)",
        reads="scan: a data cube with R_pixel_size and Q_pixel_size; reconstruction: "
        "reconstruction_object, reconstruction_probe",
        units="A, nm, um, m; A^-1, nm^-1",
        written_by="py4DSTEM",
        limits="the first cube; a rotation of the detector against the scan is not undone; complex "
        "objects only",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It is an EMD file with a cube, or with an object."""
        if file.format is not Format.HDF5:
            return Held.NOTHING
        paths = _found(file.hdf5)
        held = Held.SCAN if paths.cube else Held.NOTHING
        return held | Held.RECONSTRUCTION if paths.object else held

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the cube: one position for each of its frames, row by row."""
        path, hdf5 = file.path, file.hdf5
        paths = _found(hdf5)
        cube = hdf5.required(paths.cube)
        rows, columns, side, other = cube.shape
        if side != other or min(cube.shape) == 0:
            raise InputError(
                f"{paths.cube} of {path} has no square frames",
                why=f"its shape is {cube.shape}",
                do="crop the detector to a square around the beam",
            )
        step_m = _length(hdf5, path_of=paths, name="R", units=METRES)
        per_m = _length(hdf5, path_of=paths, name="Q", units=PER_METRE)
        pixel_m = 1 / (side * per_m)
        y, x = np.mgrid[:rows, :columns].reshape(2, -1) * (step_m / pixel_m) + side / 2
        turned = hdf5.number(f"{paths.calibration}/QR_rotation")
        doubts: tuple[str, ...] = () if turned == 0 else (_turned(turned),)
        if hdf5.flag(f"{paths.calibration}/QR_flip"):
            doubts += ("the scan's axes are swapped against the detector's, which is not undone",)
        doubts += _off_centre(hdf5, paths.calibration, int(side))
        others = (f"of {paths.cubes} cubes {paths.cube} is taken",) if paths.cubes > 1 else ()
        return Scan(
            path=path,
            positions_px=np.stack([y, x], axis=1).astype(np.float64),
            patch_px=int(side),
            source=GridFrames(hdf5, cube),
            intensity=request.intensity,
            pixel_size_m=pixel_m,
            notes=(
                f"{paths.cube} is taken as {kind_of(request.intensity)}",
                f"a raster of {rows} x {columns} steps of {step_m:.4g} m, object pixel "
                f"{pixel_m:.4g} m",
                *others,
            ),
            doubts=doubts,
        )

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object."""
        hdf5 = file.hdf5
        paths = _found(hdf5)
        image, said = only_layers(file.path, paths.object, hdf5.array(paths.object))
        probe, weaker = None, None
        if paths.probe:
            probe, weaker = split_modes(file.path, paths.probe, hdf5.array(paths.probe))
        return Reconstruction(
            path=file.path,
            object=image,
            label="py4DSTEM",
            algorithm="py4DSTEM",
            probe=probe,
            weaker_modes=weaker,
            notes=("the object of py4DSTEM", *said),
        )


def _found(file: Hdf5File) -> _Found:
    """Walk through the groups of an EMD file."""
    if not any(GROUP_TYPE in group.attrs for group in _top_groups(file)):
        return _Found()
    cube = image = probe = calibration = ""
    cubes = 0
    left, groups = MAX_NODES, [""]
    while groups and left:
        here = groups.pop(0)
        for name in sorted(file.members(here or "/"))[:left]:
            left -= 1
            path = f"{here}/{name}"
            if file.members(path) and path.count("/") < MAX_DEPTH:
                groups.append(path)
            if name == CALIBRATION:
                calibration = calibration or path
            if (dataset := file.dataset(f"{path}/{DATA}")) is None:
                continue
            where = f"{path}/{DATA}"
            if dataset.ndim == 4 and dataset.dtype.kind in "fiu":
                cube = cube or where
                cubes += 1
            image = image or (where if name in OBJECTS else "")
            probe = probe or (where if name in PROBES else "")
    return _Found(cube, cubes, image, probe, calibration)


def _top_groups(file: Hdf5File) -> list[h5py.Group]:
    root, names = file.root, file.members("/")[:MAX_NODES]
    hard = [name for name in names if isinstance(root.get(name, getlink=True), h5py.HardLink)]
    return [*(root[name] for name in hard), root]


def _length(file: Hdf5File, path_of: _Found, name: str, units: dict[str, float]) -> float:
    """Read ``R_pixel_size`` or ``Q_pixel_size`` in metres or in cycles per metre."""
    home = path_of.calibration
    size = file.number(f"{home}/{name}_pixel_size") if home else None
    unit = _text(file, f"{home}/{name}_pixel_units") if home else ""
    if not size or not 0 < size < np.inf or unit not in units:
        raise InputError(
            f"{file.path} is not calibrated",
            why=f"{name}_pixel_size is {size} {unit or 'without a unit'}; known units: "
            f"{', '.join(units)}",
            do=f"calibrate it: py4DSTEM's calibration.set_{name}_pixel_size and _units",
        )
    return size * units[unit]


def _text(file: Hdf5File, name: str) -> str:
    found = file.dataset(name)
    if found is None or found.dtype.kind not in "SO" or found.size != 1:
        return ""
    value = np.asarray(found[()]).reshape(-1)[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _off_centre(file: Hdf5File, home: str, side: int) -> tuple[str, ...]:
    """Say so where the file has the zero frequency elsewhere than in the middle of frames."""
    found = [file.number(f"{home}/q{axis}0_mean") for axis in "xy"] if home else []
    centre = [place for place in found if place is not None]
    if len(centre) < len("xy") or all(abs(place - side / 2) <= 1 for place in centre):
        return ()
    return (
        f"the beam's centre is {centre[0]:.4g}, {centre[1]:.4g} by the calibration, and the zero "
        f"frequency is taken to lie at {side / 2:g}",
    )


def _turned(angle: float | None) -> str:
    if angle is None:
        return "the angle between scan and detector is not known: 0 is assumed"
    return f"scan and detector are turned by {angle:g} against each other, which is not undone"
