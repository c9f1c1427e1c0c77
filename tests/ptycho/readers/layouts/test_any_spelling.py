"""Are files read rightly or refused, whatever their numbers' types, units, axes and gaps?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptyrun import open_reconstruction, open_scan
from ptyrun.errors import InputError
from tests import foreign_files as files
from tests.foreign_files import N_FRAMES, PIXEL_M, RECONSTRUCTIONS, SCANS, SIDE, Made

pytestmark = pytest.mark.usefixtures("unsuspicious")

SCENE = files.scene()
LENGTHS = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "\u00b5m": 1e-6, "nm": 1e-9, "Angstrom": 1e-10}
# What calibrations of py4DSTEM may say: their units are members, not attributes.
STEPS = {"A": 1e-10, "nm": 1e-9, "um": 1e-6, "m": 1.0}
COUNTS = ("u2", ">u2", "i4", ">i4", "i8", "u8", "f4", ">f4", "f8", ">f8")
REALS = ("f4", ">f4", "f8", ">f8")
COMPLEX = ("c8", ">c8", "c16", ">c16")


@dataclass(frozen=True)
class Layout:
    """What of a layout may be spelt in several ways.

    ``lengths`` may have ``units``; ``counts``, ``reals`` and ``complex`` may be of any type;
    ``optional`` may be missing, and what is ``needed`` may be too: then the file is refused.
    """

    made: Made
    lengths: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    reals: tuple[str, ...] = ()
    complex: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()  # may have its two axes exchanged
    unwritten: Mapping[str, float] = field(default_factory=dict)


def made(name: str) -> Made:
    return next(each for each in (*SCANS, *RECONSTRUCTIONS) if each.name == name)


CAL = "datacube_root/metadatabundle/calibration"
HDF5 = {
    "ptypy scan": Layout(
        made("scan.ptyd"),
        lengths=("meta/distance", "meta/psize", "chunks/0/positions", "chunks/1/positions"),
        counts=("chunks/0/data", "chunks/1/data"),
        reals=("meta/energy", "meta/distance", "meta/psize"),
        optional=("chunks/0/weights", "chunks/0/indices", "meta/propagation"),
        needed=("meta/energy", "meta/distance", "meta/psize", "chunks/1/positions"),
    ),
    "ptypy result": Layout(
        made("result.ptyr"),
        lengths=("content/obj/Sscan00G00/_psize",),
        reals=("content/obj/Sscan00G00/_psize",),
        complex=("content/obj/Sscan00G00/data", "content/probe/Sscan00G00/data"),
        optional=("header", "content/positions"),
        needed=("content/obj/Sscan00G00/data",),
    ),
    "PtyLab scan": Layout(
        made("scan.hdf5"),
        lengths=("encoder", "wavelength", "zo", "dxd"),
        counts=("ptychogram",),
        reals=("wavelength", "zo", "dxd"),
        optional=("orientation",),
        needed=("wavelength", "zo", "dxd", "encoder"),
        turned=("encoder",),
    ),
    "PtyLab result": Layout(
        made("result.hdf5"),
        lengths=("dxp",),
        reals=("dxp",),
        complex=("object", "probe"),
        optional=("wavelength", "zo"),
        needed=("object",),
    ),
    "cdtools": Layout(
        made("result.h5"),
        lengths=("obj_basis",),
        reals=("obj_basis",),
        complex=("obj", "probe"),
        optional=("translations",),
        needed=("obj",),
        turned=("obj_basis",),
    ),
    "PtyRAD": Layout(
        made("model.hdf5"),
        lengths=("model_attributes/dx",),
        reals=("optimizable_tensors/obja", "optimizable_tensors/objp", "model_attributes/dx"),
        complex=("optimizable_tensors/probe",),
        needed=("optimizable_tensors/obja", "optimizable_tensors/objp"),
        unwritten={"model_attributes/dx": 1e-10},
    ),
    "EMD cube": Layout(
        made("cube.h5"),
        counts=("datacube_root/datacube/data",),
        reals=(f"{CAL}/R_pixel_size", f"{CAL}/Q_pixel_size"),
        needed=(f"{CAL}/R_pixel_size", f"{CAL}/Q_pixel_units"),
    ),
    "EMD result": Layout(
        made("py4dstem.h5"),
        complex=(
            "ptychography_root/ptychography/_object_emd/data",
            "ptychography_root/ptychography/_probe_emd/data",
        ),
        needed=("ptychography_root/ptychography/_object_emd/data",),
    ),
    "MATLAB 7.3": Layout(
        made("v73.mat"), reals=("p/dx_spec",), optional=("p",), needed=("object",)
    ),
}
NPZ = {
    "tike": Layout(
        made("tike.npz"),
        counts=("data",),
        reals=("scan",),
        complex=("probe", "psi"),
        needed=("data", "scan"),
    ),
    "PtychoNN": Layout(
        made("nn.npz"), counts=("reciprocal",), reals=("scan",), needed=("reciprocal", "scan")
    ),
    "ptychodus": Layout(
        made("product.npz"),
        reals=("probe_position_x_m", "object_pixel_width_m"),
        complex=("probe", "object"),
        optional=("name", "probe_energy_eV", "object_center_x_m"),
        # There is a frame more than positions: without indexes nothing says which.
        needed=("object_pixel_height_m", "probe_position_y_m", "probe_position_indexes"),
    ),
}  # fmt: skip
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def cast(draw: Any, layout: Layout, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Numbers in other types, which hold them."""
    found = dict(values)
    for names, dtypes in (
        (layout.counts, COUNTS),
        (layout.reals, REALS),
        (layout.complex, COMPLEX),
    ):
        for name in names:
            found[name] = found[name].astype(draw(st.sampled_from(dtypes)))
    return found


def taken_away(draw: Any, layout: Layout) -> tuple[list[str], bool]:
    """What to leave out, and whether the file is still whole."""
    some = [name for name in layout.optional if draw(st.booleans())]
    lost = [name for name in layout.needed if draw(st.integers(0, 7)) == 0]
    return [*some, *lost], not lost


def respell(path: Path, layout: Layout, draw: Any) -> bool:
    with h5py.File(path, "a") as file:
        values = cast(
            draw, layout, {n: file[n][()] for n in (*layout.counts, *layout.reals, *layout.complex)}
        )
        attributes = {n: dict(file[n].attrs) for n in values}
        for name, found in values.items():
            del file[name]
            file[name] = found
            file[name].attrs.update(attributes[name])
        for name in layout.lengths:
            unit = draw(st.sampled_from([None, *LENGTHS]))
            if unit is not None:
                stored = np.asarray(file[name][()], float) * layout.unwritten.get(name, 1.0)
                del file[name]
                file[name] = stored / LENGTHS[unit]
                file[name].attrs["units"] = draw(st.sampled_from([unit, unit.encode()]))
        if "cube" in layout.made.name:
            unit = draw(st.sampled_from(sorted(STEPS)))
            file[f"{CAL}/R_pixel_size"][...] = file[f"{CAL}/R_pixel_size"][()] * 1e-10 / STEPS[unit]
            file[f"{CAL}/R_pixel_units"][...] = unit
        for name in layout.turned:
            if draw(st.booleans()):
                attributes_of = dict(file[name].attrs)
                stored = file[name][()].T
                del file[name]
                file[name] = stored
                file[name].attrs.update(attributes_of)
        gone, is_whole = taken_away(draw, layout)
        for name in gone:
            if name in file:
                del file[name]
    return is_whole


def require_right(path: Path, layout: Layout, *, is_whole: bool, untold: bool = False) -> None:
    """Right, or refused by name because something is missing."""
    is_scan = layout.made in SCANS
    try:
        found = open_scan(path) if is_scan else open_reconstruction(path)
    except InputError as error:
        assert not is_whole or untold, error
        return
    if is_scan:
        scan = open_scan(path)
        wanted_px = SCENE.positions_px - SCENE.positions_px[0]
        if layout.made.is_raster:
            wanted_px = np.c_[np.zeros(N_FRAMES), 3.0 * np.arange(N_FRAMES)]
        assert np.allclose(scan.positions_px - scan.positions_px[0], wanted_px, atol=1e-3)
        amplitude = np.sqrt(SCENE.counts).astype(np.float64)
        if scan.bad_pixels is not None:
            assert scan.bad_pixels.sum() == 1
            amplitude[:, scan.bad_pixels] = 0
        assert np.allclose(scan.amplitudes(np.arange(N_FRAMES)), amplitude, rtol=1e-5)
        assert scan.n_frames == N_FRAMES
    else:
        assert np.allclose(found.object, SCENE.object, rtol=1e-5)  # type: ignore[union-attr]
    assert found.probe_modes is None or np.allclose(found.probe_modes, SCENE.modes)
    assert found.pixel_size_m is None or found.pixel_size_m == pytest.approx(PIXEL_M, rel=1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spelt")


@settings(max_examples=2 * settings.default.max_examples, **QUIET)
@given(name=st.sampled_from(sorted(HDF5)), data=st.data())
def test_an_hdf5_file_is_read_rightly_or_refused(name: str, data: Any, folder: Path) -> None:
    layout = HDF5[name]
    path = layout.made.write(folder / layout.made.name, SCENE)
    require_right(path, layout, is_whole=respell(path, layout, data.draw))


@settings(**QUIET)
@given(name=st.sampled_from(sorted(NPZ)), data=st.data())
def test_an_npz_file_is_read_rightly_or_refused(name: str, data: Any, folder: Path) -> None:
    layout = NPZ[name]
    path = layout.made.write(folder / layout.made.name, SCENE)
    with np.load(path) as archive:
        values = cast(data.draw, layout, dict(archive))
    gone, is_whole = taken_away(data.draw, layout)
    order = data.draw(st.sampled_from("CF"))
    kept = {k: np.asarray(v, order=order) for k, v in values.items() if k not in gone}
    data.draw(st.sampled_from([np.savez, np.savez_compressed]))(path, **kept)
    # Counts as floats: PtychoNN's files do not say what they are.
    untold = name == "PtychoNN" and values["reciprocal"].dtype.kind == "f"
    require_right(path, layout, is_whole=is_whole, untold=untold)


@settings(**QUIET)
@given(data=st.data())
def test_a_matlab_5_file_is_read_rightly_or_refused(data: Any, folder: Path) -> None:
    draw = data.draw
    members: dict[str, Any] = {
        "object": SCENE.object.astype(draw(st.sampled_from(["c8", "c16"]))),
        "probe": np.moveaxis(SCENE.modes, 0, -1).astype(draw(st.sampled_from(["c8", "c16"]))),
        "p": {"dx_spec": np.array([PIXEL_M, PIXEL_M])[: draw(st.integers(1, 2))]},
    }
    gone = [name for name in members if draw(st.integers(0, 4)) == 0]
    kept = {name: value for name, value in members.items() if name not in gone}
    path = folder / "any.mat"
    scipy.io.savemat(path, {"more": "text", **kept}, do_compression=draw(st.booleans()))
    require_right(path, Layout(made("v5.mat")), is_whole="object" not in gone)


def test_frames_are_of_the_size_that_this_is_about() -> None:
    assert SCENE.counts.shape == (N_FRAMES, SIDE, SIDE)
    assert {"ptypy", "ptylab", "cdtools", "ptyrad", "emd", "matlab"} == {
        layout.made.reader for layout in HDF5.values()
    }
