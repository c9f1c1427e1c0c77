"""Is what a file says in an unusual place or way read, or named, and never passed over?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun import open_reconstruction, open_scan
from ptyrun.errors import InputError
from ptyrun.ptycho.readers.frame_survey import dark_frames
from tests import foreign_files as files
from tests.foreign_files import DISTANCE_M, N_FRAMES, PIXEL_M, SIDE

pytestmark = pytest.mark.usefixtures("unsuspicious")

SCENE = files.scene()
DETECTOR, DATA = "entry_1/instrument_1/detector_1", "entry_1/data_1"
TRANSLATION = "entry_1/sample_1/geometry_1/translation"
ALL = np.arange(N_FRAMES)
SIGNAL = np.where(SCENE.counts.mean(0) > 20, 0x1000, 0)
SIGNAL[5, 5] |= 1
Change = Callable[[h5py.File], object]


def changed(path: Path, change: Change) -> Path:
    files.write_cxi(path, SCENE)
    with h5py.File(path, "a") as file:
        change(file)
    return path


def put(name: str, value: object) -> Change:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file[name] = value

    return change


@pytest.mark.parametrize("dtype", ["u2", ">u4", "i8", "f4", ">f8"])
@pytest.mark.parametrize("name", ["mask", "pixel_mask"])
def test_a_mask_is_read_in_any_type_and_by_either_name(
    name: str, dtype: str, tmp_path: Path
) -> None:
    scan = open_scan(changed(tmp_path / "s.cxi", put(f"{DETECTOR}/{name}", SIGNAL.astype(dtype))))
    assert scan.bad_pixels is not None
    assert np.argwhere(scan.bad_pixels).tolist() == [[5, 5]]


def test_mask_and_dark_frames_beside_the_data_are_read(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        file[f"{DATA}/mask"], file[f"{DATA}/data_dark"] = SIGNAL, np.full((3, SIDE, SIDE), 2.0)
        file[f"{DETECTOR}/data"][...] += 2

    scan = open_scan(changed(tmp_path / "s.cxi", change))
    expected = np.sqrt(SCENE.counts)
    expected[:, 5, 5] = 0
    assert np.allclose(scan.amplitudes(ALL), expected)


def test_a_white_field_that_is_not_applied_is_named(tmp_path: Path) -> None:
    scan = open_scan(changed(tmp_path / "s.cxi", put(f"{DETECTOR}/data_white", np.ones((8, 8)))))
    assert any("data_white is there and is not applied" in doubt for doubt in scan.doubts)


@pytest.mark.parametrize("link", ["soft", "hard"])
def test_of_several_detectors_that_of_the_frames_gives_the_geometry(
    link: str, tmp_path: Path
) -> None:
    def change(file: h5py.File) -> None:
        other = DETECTOR.replace("detector_1", "detector_2")
        file.copy(DETECTOR, other)
        file[f"{other}/distance"][...] = 2 * DISTANCE_M
        del file[f"{DATA}/data"]
        file[f"{DATA}/data"] = (
            h5py.SoftLink(f"/{other}/data") if link == "soft" else file[f"{other}/data"]
        )

    scan = open_scan(changed(tmp_path / "s.cxi", change))
    assert scan.pixel_size_m == pytest.approx(2 * PIXEL_M)


@pytest.mark.parametrize("rows", [0, 4])
def test_an_entry_of_a_scan_that_was_cut_off_is_not_the_newest_whole_one(
    rows: int, tmp_path: Path
) -> None:
    def change(file: h5py.File) -> None:
        file.copy("entry_1", "entry_2")
        del file["entry_2/data_1"], file["entry_2/instrument_1/detector_1/data"]
        file["entry_2/instrument_1/detector_1/data"] = SCENE.counts[:rows] * 4

    scan = open_scan(changed(tmp_path / "s.cxi", change))
    assert scan.entry == "entry_1"
    assert np.allclose(scan.amplitudes(ALL) ** 2, SCENE.counts)


def test_what_contradicts_itself_in_the_geometry_is_doubted(tmp_path: Path) -> None:
    moved = np.c_[files.metres(SCENE)[:, ::-1], np.zeros(N_FRAMES)]

    def change(file: h5py.File) -> None:
        file[f"{DATA}/translation"] = moved * 2
        file[f"{DETECTOR}/corner_position"] = [1e-3, 1e-3, 3 * DISTANCE_M]

    said = " ".join(open_scan(changed(tmp_path / "s.cxi", change)).doubts)
    assert "holds other translations than" in said
    assert "by corner_position; the distance is taken" in said


@pytest.mark.parametrize("units", [["mm", "mm", "mm"], ["mm", "um", "mm"]])
def test_units_for_each_axis_are_one_or_are_refused(units: list[str], tmp_path: Path) -> None:
    path = changed(tmp_path / "s.cxi", lambda file: None)
    with h5py.File(path, "a") as file:
        file[TRANSLATION][...] = file[TRANSLATION][()] * 1e3
        file[TRANSLATION].attrs["units"] = np.array(units, dtype=h5py.string_dtype())
    if len(set(units)) > 1:
        with pytest.raises(InputError, match="is not text"):
            open_scan(path)
        return
    found = open_scan(path).positions_px
    assert np.allclose(found - found[0], SCENE.positions_px - SCENE.positions_px[0])


@pytest.mark.parametrize("axes", ["first", "last", "last of one", "of variations"])
def test_modes_are_found_along_either_axis_where_the_frames_are_not_known(
    axes: str, tmp_path: Path
) -> None:
    modes = SCENE.modes[:1] if axes == "last of one" else SCENE.modes
    stored = {
        "first": modes,
        "last": np.moveaxis(modes, 0, -1),
        "last of one": np.moveaxis(modes, 0, -1),
        "of variations": np.stack([modes, 0.1 * modes, 0.2 * modes]),
    }[axes]
    path = tmp_path / "recon.npz"
    np.savez(path, reconstructed_object=SCENE.object, reconstructed_probe=stored)
    found = open_reconstruction(path)
    assert np.array_equal(found.probe_modes, modes)
    said = any("3 variations from position to position" in note for note in found.notes)
    assert said == (axes == "of variations")


def test_modes_of_which_any_axis_may_count_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recon.npz"
    np.savez(path, reconstructed_object=SCENE.object, reconstructed_probe=np.ones((4, 4, 4), "c8"))
    with pytest.raises(InputError, match="along which axis its modes lie"):
        open_reconstruction(path)


def real(kind: str, path: Path) -> Path:
    """Write amplitudes alone, as complex numbers."""
    amplitude = np.abs(SCENE.object).astype(np.complex64)
    if kind == "recon.npz":
        np.savez(path, reconstructed_object=amplitude)
    elif kind == "object.npy":
        np.save(path, amplitude)
    elif kind == "model.hdf5":
        files.write_ptyrad(path, SCENE)
        with h5py.File(path, "a") as file:
            file["optimizable_tensors/objp"][...] = 0
    return path


@pytest.mark.parametrize("kind", ["recon.npz", "object.npy", "model.hdf5"])
def test_complex_numbers_without_a_phase_are_no_reconstruction(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no phase"):
        open_reconstruction(real(kind, tmp_path / kind))


@pytest.mark.parametrize("stored", [np.float32, np.complex64])
def test_an_object_without_a_phase_is_refused_unless_it_was_simulated(
    stored: type, tmp_path: Path
) -> None:
    path = files.write_bundle(tmp_path / "bundle.h5", SCENE)
    amplitude: np.ndarray = np.abs(SCENE.object).astype(stored)
    with h5py.File(path, "a") as file:
        del file["raw_data/objectGuess"]
        file["raw_data/objectGuess"] = amplitude
    with pytest.raises(InputError, match=r"its phase is missing|has no phase"):
        open_scan(path)
    files.write_contract(tmp_path / "scan.npz", SCENE)
    members = dict(np.load(tmp_path / "scan.npz")) | {"objectGuess": amplitude.astype(np.complex64)}
    np.savez(tmp_path / "scan.npz", **members)
    with pytest.raises(InputError, match="has no phase"):
        open_scan(tmp_path / "scan.npz")
    np.savez(tmp_path / "scan.npz", **members, _metadata=json.dumps({"is_simulated": True}))
    assert open_scan(tmp_path / "scan.npz").object_is_truth


def pair(path: Path, metadata: dict[str, object], **members: str) -> Path:
    files.write_contract(path, SCENE)
    arrays = dict(np.load(path)) | {"diffraction": SCENE.counts + np.float32(0.25)}
    np.savez(path, **arrays, **members, _metadata=json.dumps(metadata))
    return path


COUNTS = {"scale_contract_version": "ci_intensity_v2", "measurement_domain": "count_intensity"}


def test_what_frames_are_is_read_wherever_the_metadata_have_it(tmp_path: Path) -> None:
    assert open_scan(pair(tmp_path / "a.npz", {"additional_parameters": COUNTS})).intensity
    with pytest.raises(InputError, match="'count_intensity' and 'normalized_amplitude'"):
        open_scan(pair(tmp_path / "b.npz", COUNTS, measurement_domain="normalized_amplitude"))


@pytest.mark.parametrize(
    ("lit", "found"), [(121, []), (100, [*range(100, 121)]), (10, [*range(10, 121)])]
)
def test_dark_frames_are_told_though_most_frames_are_dark(lit: int, found: list[int]) -> None:
    energies = np.random.default_rng(1).uniform(5e4, 1e5, 121)
    energies[lit:] = 3.0  # a hot pixel
    assert dark_frames(energies).tolist() == found


def of_ptylab(**members: object) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        files.write_ptylab_scan(path, SCENE)
        with h5py.File(path, "a") as file:
            for name, value in members.items():
                file[name] = value
        return path

    return write


def of_emd(name: str, value: object) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        files.write_emd(path, SCENE)
        with h5py.File(path, "a") as file:
            file[name] = value
        return path

    return write


def of_ptypy(path: Path) -> Path:
    files.write_ptyd(path, SCENE)
    with h5py.File(path, "a") as file:
        file["meta/center"] = [2.0, 4.0]
    return path


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (of_ptylab(background=np.full((8, 8), 3.0)), "background is there and is not applied"),
        (of_ptylab(W=np.eye(8)), "W is there and is not applied"),
        (of_ptylab(spectralDensity=[1e-10, 2e-10]), "the light has 2 wavelengths"),
        (of_emd("datacube_root/metadatabundle/calibration/QR_flip", True), "axes are swapped"),
        (of_emd("datacube_root/other/data", np.ones((1, 2, 8, 8))), "of 2 cubes"),
        (of_ptypy, "meta/center is 2, 4"),
    ],
)
def test_what_is_there_and_changes_nothing_is_said(
    write: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    scan = open_scan(write(tmp_path / "scan.h5"))
    assert any(said in text for text in (*scan.doubts, *scan.notes))


def test_positions_of_lights_are_no_positions_of_a_sample(tmp_path: Path) -> None:
    path = of_ptylab(zled=0.06, W=np.ones((8, 8)))(tmp_path / "scan.hdf5")
    with pytest.raises(InputError, match="Fourier ptychography"):
        open_scan(path)
