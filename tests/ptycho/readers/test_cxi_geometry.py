from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.cxi import entries
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from tests.ptycho.conftest import Scene, rewritten
from tests.ptycho.readers.test_readers import (
    DETECTOR_PIXEL_M,
    DISTANCE_M,
    PIXEL_M,
    WAVELENGTH_M,
    write_cxi,
)

pytestmark = pytest.mark.usefixtures("unsuspicious")

DETECTOR, SOURCE = "entry_1/instrument_1/detector_1", "entry_1/instrument_1/source_1"
TRANSLATION = "entry_1/sample_1/geometry_1/translation"
EV = 1.602176634e-19
ENERGY_EV = 12398.419843320026  # of photons of 1e-10 m
LENGTHS = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "\u00b5m": 1e-6, "nm": 1e-9, "Angstrom": 1e-10}
ENERGIES = {"J": EV, "eV": 1.0, "keV": 1e-3, "MeV": 1e-6}


def expected(scene: Scene) -> np.ndarray:
    places = np.stack([scene.y, scene.x], axis=1)
    return places - places.min(axis=0) + 4


def changed(path: Path, **members: object) -> Path:
    """Members by their path, `__` for `/`; None takes one away, a pair gives its units."""
    with rewritten(path) as file:
        for name, value in members.items():
            name = name.replace("__", "/")
            if name in file:
                del file[name]
            if value is None:
                continue
            value, unit = value if isinstance(value, tuple) else (value, None)
            file[name] = value
            if unit is not None:
                file[name].attrs["units"] = unit
    return path


@pytest.fixture
def path(scene: Scene, tmp_path: Path) -> Path:
    return write_cxi(tmp_path / "scan.cxi", scene)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cxi")


def in_unit(value: object, unit: str, worth: float) -> tuple[object, str]:
    return np.asarray(value) / worth, unit


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_way_of_saying_the_geometry_is_read_rightly_or_refused(data, folder: Path) -> None:
    scene = Scene()
    path = write_cxi(folder / "scan.cxi", scene)
    draw = data.draw
    length, energy = st.sampled_from(sorted(LENGTHS)), st.sampled_from(sorted(ENERGIES))
    metres = np.stack([scene.x, scene.y, 0 * scene.x], axis=1) * PIXEL_M
    columns, turned = draw(st.sampled_from([2, 3])), draw(st.booleans())
    unit, dtype = draw(length), draw(st.sampled_from(["f8", ">f8", "f4", "<f4"]))
    stored = metres[:, :columns].T if turned else metres[:, :columns]
    value = (stored / LENGTHS[unit]).astype(dtype)
    members: dict[str, object] = {TRANSLATION: (value, unit if unit != "m" else None)}
    whole = True
    unit = draw(length)
    sizes = draw(st.sampled_from(["both", "x", "y", "basis", "none"]))
    for axis in "xy":
        is_there = sizes in ("both", axis)
        given = in_unit(DETECTOR_PIXEL_M, unit, LENGTHS[unit])
        members[f"{DETECTOR}/{axis}_pixel_size"] = given if is_there else None
    if sizes == "basis":
        vectors = np.array([[0, -1, 0], [-1, 0, 0]]) * DETECTOR_PIXEL_M
        vectors = vectors.T if draw(st.booleans()) else vectors
        members[f"{DETECTOR}/basis_vectors"] = in_unit(vectors, unit, LENGTHS[unit])
    whole &= sizes != "none"
    unit, place = draw(length), draw(st.sampled_from(["distance", "corner_position", ""]))
    members[f"{DETECTOR}/distance"] = None
    if place:
        far = DISTANCE_M if place == "distance" else [1e-3, -2e-3, -DISTANCE_M]
        members[f"{DETECTOR}/{place}"] = in_unit(far, unit, LENGTHS[unit])
    whole &= bool(place)
    members[f"{SOURCE}/wavelength"] = None
    beam = draw(st.sampled_from(["source_1", "beam_1", "machine", "wavelength", "both"]))
    unit = draw(energy)
    photons = ENERGY_EV * ENERGIES[unit], unit
    if beam in ("machine", "both"):
        members["entry_1/definition"] = "NXcxi_ptycho"
        members[f"{SOURCE}/energy"] = 3e9 * EV, "J"
    if beam in ("source_1", "beam_1", "both"):
        where = "beam_1" if beam != "source_1" else beam
        members[f"entry_1/instrument_1/{where}/energy"] = photons
    if beam == "wavelength":
        unit = draw(length)
        members[f"{SOURCE}/wavelength"] = in_unit(WAVELENGTH_M, unit, LENGTHS[unit])
    whole &= beam != "machine"
    changed(path, **members)
    if not whole:
        with pytest.raises(InputError, match="how large a pixel"):
            open_scan(path)
        return
    scan = open_scan(path)
    assert np.allclose(scan.positions_px, expected(scene), atol=1e-3)
    assert scan.pixel_size_m == pytest.approx(PIXEL_M, rel=1e-6)
    assert scan.energy_ev == pytest.approx(ENERGY_EV, rel=1e-6)
    assert scan.distance_m == pytest.approx(DISTANCE_M, rel=1e-6)
    assert np.array_equal(
        scan.amplitudes(np.arange(12))[:, 2:], np.rint(scene.amplitude**2)[:, 2:] ** np.float32(0.5)
    )


@pytest.mark.parametrize(
    ("member", "value", "says"),
    [
        (TRANSLATION, (np.ones((12, 3)), "px"), r"'px'.*|unknown"),
        (f"{DETECTOR}/distance", (1.0, "furlong"), "furlong"),
        (f"{DETECTOR}/x_pixel_size", (DETECTOR_PIXEL_M, ""), "no such case"),
        (f"{DETECTOR}/x_pixel_size", 75.0, "in another unit"),
        (f"{DETECTOR}/distance", 1500.0, "in another unit"),
        (f"{SOURCE}/wavelength", (1e-10, "eV"), "'eV'"),
        (f"{SOURCE}/wavelength", (1e-10, 7), "is not text"),
        (f"{SOURCE}/wavelength", 3.0, "not the energy of a photon"),
        (f"{DETECTOR}/distance", np.array([1.0, 2.0]), "several that agree"),
        (f"{DETECTOR}/distance", np.nan, "finite"),
        (f"{DETECTOR}/distance", b"far", "cannot be used"),
        (f"{DETECTOR}/basis_vectors", np.zeros((2, 3)), "cannot be used"),
        (f"{DETECTOR}/basis_vectors", np.ones((3, 3)), "cannot be used"),
        (TRANSLATION, np.ones((3, 7)), "not positions"),
        (TRANSLATION, np.ones((12, 4)), "not positions"),
    ],
)  # fmt: skip
def test_what_cannot_be_what_it_is_called_is_refused(
    member: str, value: object, says: str, path: Path
) -> None:
    changed(path, **{member: value})
    if says == "no such case":  # an empty unit is none
        open_scan(path)
        return
    with pytest.raises(InputError, match=says):
        open_scan(path)


@pytest.mark.parametrize("ev", [3e9, 1e-3, 12398 / EV])
def test_an_energy_that_no_photons_have_is_refused(ev: float, path: Path) -> None:
    changed(path, **{f"{SOURCE}/wavelength": None, f"{SOURCE}/energy": ev * EV})
    with pytest.raises(InputError, match="not the energy of a photon") as caught:
        open_scan(path)
    assert "the machine" in str(caught.value)


def test_two_wavelengths_are_doubted(path: Path) -> None:
    changed(path, **{"entry_1/instrument_1/beam_1/energy": (8000.0, "eV")})
    scan = open_scan(path)
    assert scan.energy_ev == pytest.approx(8000)
    assert any("wavelength" in doubt for doubt in scan.doubts)


def second(path: Path, entry: str, *, shift_px: float = 3.0, complete: bool = True) -> None:
    """Another entry with one position moved."""
    with rewritten(path) as file:
        file.copy("entry_1", entry)
        metres = file[f"{entry}/sample_1/geometry_1/translation"]
        moved = metres[()]
        moved[0, 0] += shift_px * PIXEL_M
        metres[...] = moved
        del file[f"{entry}/data_1"]
        if not complete:
            del file[f"{entry}/sample_1"]


def moved_px(path: Path, scene: Scene) -> float:
    scan = open_scan(path)
    relative = scan.positions_px[:, 1] - scan.positions_px[1, 1]
    return float(relative[0] - (scene.x[0] - scene.x[1]))


def test_of_several_entries_the_newest_whole_one_is_taken_and_named(
    scene: Scene, path: Path
) -> None:
    second(path, "entry_2", shift_px=2)
    second(path, "entry_10", shift_px=5)
    second(path, "entry_11", shift_px=9, complete=False)
    scan = open_scan(path)
    assert scan.entry == "entry_10"
    assert any("entry_10 is taken" in note and "entry_11" in note for note in scan.notes)
    assert moved_px(path, scene) == pytest.approx(5)
    with rewritten(path) as file:
        file["entry_last"] = h5py.SoftLink("/entry_2")
    assert entries(Hdf5File(path)) == [
        "entry_last", "entry_11", "entry_10", "entry_2", "entry_1"
    ]  # fmt: skip
    scan = open_scan(path)
    assert any("entry_last is taken, which is /entry_2" in note for note in scan.notes)
    assert moved_px(path, scene) == pytest.approx(2)


def test_of_several_results_the_newest_complex_one_is_taken(path: Path, scene: Scene) -> None:
    with rewritten(path) as file:
        file["entry_2/image_1/data"] = scene.object
        file["entry_3/image_1/data"] = np.abs(scene.object)
    assert np.array_equal(open_reconstruction(path).object, scene.object)
    with rewritten(path) as file:
        del file["entry_2"]
    with pytest.raises(InputError, match="phase is missing"):
        open_reconstruction(path)


def test_near_field_is_told_by_steps_between_different_positions(scene: Scene, path: Path) -> None:
    again = np.repeat(np.arange(6), 2)
    apart = np.stack([again * 40.0, 0 * again, 0 * again], axis=1)
    apart += np.random.default_rng(1).normal(0, 0.02, apart.shape)  # an encoder's noise
    changed(path, **{TRANSLATION: apart * PIXEL_M})
    assert open_scan(path).near_field
    changed(path, **{TRANSLATION: apart / 20 * PIXEL_M})
    assert not open_scan(path).near_field


@pytest.mark.parametrize(("shape", "shown"), [((2, 8, 8), 0), ((8, 8, 2), 0), ((1, 2, 8, 8), 0)])
def test_modes_of_a_probe_are_read_along_any_axis(
    shape: tuple[int, ...], shown: int, path: Path
) -> None:
    modes = np.random.default_rng(2).normal(size=(2, 8, 8)).astype(np.complex64)
    stored = np.moveaxis(modes, 0, -1) if shape == (8, 8, 2) else modes.reshape(shape)
    changed(path, **{f"{SOURCE}/probe": stored})
    scan = open_scan(path)
    assert np.array_equal(scan.probe_modes, modes)
    changed(path, **{f"{SOURCE}/probe": np.ones((6, 6), np.complex64)})
    assert any("is not used" in note for note in open_scan(path).notes)
