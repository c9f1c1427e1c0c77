from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reconstruction import label_of, open_reconstruction
from tests.ptycho.conftest import Scene

PIXEL_M = 2e-8
WAVELENGTH_M, DISTANCE_M, DETECTOR_PIXEL_M = 1e-10, 1.0, 6.25e-4  # makes 2e-8 m with N = 8


def write_cxi(path: Path, scene: Scene, **basis: object) -> Path:
    """The scene as CXI: counts, a mask, and the sample's translation in metres."""
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 160
        detector = file.create_group("entry_1/instrument_1/detector_1")
        detector["data"] = np.rint(scene.amplitude**2).astype(np.int32)
        mask = np.zeros((8, 8), np.uint32)
        mask[0, 1] = 4
        detector["mask"] = mask
        detector["distance"] = DISTANCE_M
        detector["x_pixel_size"] = detector["y_pixel_size"] = DETECTOR_PIXEL_M
        if "basis_vectors" in basis:
            detector["basis_vectors"] = basis["basis_vectors"]
        file["entry_1/instrument_1/source_1/wavelength"] = WAVELENGTH_M
        metres = np.stack([scene.x, scene.y, 0 * scene.x], axis=1) * PIXEL_M
        file["entry_1/sample_1/geometry_1/translation"] = metres
        file["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
        link = h5py.SoftLink("/entry_1/sample_1/geometry_1/translation")
        file["entry_1/data_1/translation"] = link
    return path


def write_product(path: Path, scene: Scene, *, frames: bool = False) -> Path:
    """The scene as a ptychodus product around the middle of its object."""
    height, width = scene.object.shape
    centre_m = (3e-6, -1e-6)
    with h5py.File(path, "w") as file:
        file.attrs["name"] = "scene"
        file["object"] = scene.object[None]
        attributes = file["object"].attrs
        attributes["pixel_height_m"] = attributes["pixel_width_m"] = PIXEL_M
        attributes["center_y_m"], attributes["center_x_m"] = centre_m
        file["probe"] = scene.probe[None, None]
        file["probe_position_indexes"] = np.arange(12)[::-1]
        file["probe_position_y_m"] = (scene.y[::-1] - height / 2) * PIXEL_M + centre_m[0]
        file["probe_position_x_m"] = (scene.x[::-1] - width / 2) * PIXEL_M + centre_m[1]
        if frames:
            file["patterns"] = np.rint(scene.amplitude**2).astype(np.uint16)
            file["indexes"] = np.arange(12)
    return path


def write_diffraction(path: Path, scene: Scene, first_index: int = 0) -> Path:
    with h5py.File(path, "w") as file:
        file["patterns"] = np.rint(scene.amplitude**2).astype(np.uint16)
        file["indexes"] = np.arange(12) + first_index
        bad = np.zeros((8, 8), bool)
        bad[7, 7] = True
        file["bad_pixels"] = bad
    return path


def test_a_cxi_scan_is_read(scene: Scene, tmp_path: Path) -> None:
    scan = open_scan(write_cxi(tmp_path / "scan.bin", scene))
    expected = np.stack([scene.y, scene.x], axis=1)
    expected = expected - expected.min(axis=0) + 4
    assert np.allclose(scan.positions_px, expected)
    assert scan.intensity
    frames = np.array([5, 2, 2, 3])
    amplitude = scene.amplitude[frames].copy()
    amplitude[:, 0, 1] = 0
    assert np.allclose(scan.amplitudes(frames), amplitude, atol=1e-6)
    assert scan.object_guess is None
    assert len(scan.energies()) == 12


def test_the_detectors_axes_turn_the_positions(scene: Scene, tmp_path: Path) -> None:
    plain = open_scan(write_cxi(tmp_path / "a.cxi", scene))
    up_and_right = np.array([[0, DETECTOR_PIXEL_M], [DETECTOR_PIXEL_M, 0], [0, 0]])
    turned = open_scan(write_cxi(tmp_path / "b.cxi", scene, basis_vectors=up_and_right))
    mirrored = plain.positions_px.max(axis=0) + 4 - plain.positions_px
    assert np.allclose(turned.positions_px, mirrored)


def test_a_published_near_field_scan_is_read_and_named(shared: Path) -> None:
    scan = open_scan(shared / "data/PETRAIII_P25_Near_Field_Ptycho.cxi")
    assert (scan.n_frames, scan.patch_px) == (200, 100)
    assert scan.near_field
    assert any("near field" in note for note in scan.notes)
    stored = Hdf5File(scan.path).array("entry_1/data_1/data")
    assert np.allclose(scan.energies(), stored.sum(axis=(1, 2)))


def test_a_far_field_cxi_scan_is_not_called_near_field(scene: Scene, tmp_path: Path) -> None:
    scene.x, scene.y = scene.x / 20, scene.y / 20
    assert not open_scan(write_cxi(tmp_path / "a.cxi", scene)).near_field


@pytest.mark.parametrize("beside", [True, False])
def test_a_product_is_read_with_its_frames(beside: bool, scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product-out.h5", scene, frames=not beside)
    if beside:
        write_diffraction(tmp_path / "diffraction.h5", scene)
    scan = open_scan(path)
    expected = np.stack([scene.y, scene.x], axis=1)[::-1]
    assert np.allclose(scan.positions_px, expected)
    assert np.array_equal(scan.object_guess, scene.object)
    assert np.array_equal(scan.probe, scene.probe)
    amplitude = scene.amplitude[::-1].copy()
    if beside:
        amplitude[:, 7, 7] = 0
    assert np.allclose(scan.amplitudes(np.arange(12)), amplitude, atol=1e-6)


def test_the_pair_of_files_of_ptychi_is_read(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "scan_para.hdf5", scene)
    with h5py.File(tmp_path / "scan_dp.hdf5", "w") as file:
        file["dp"] = scene.amplitude**2
    scan = open_scan(path)
    assert np.allclose(scan.amplitudes(np.array([3])), scene.amplitude[[3]], atol=1e-6)


def test_frames_of_another_scan_are_refused(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product-out.h5", scene)
    with pytest.raises(InputError, match="holds no diffraction"):
        open_scan(path)
    write_diffraction(tmp_path / "diffraction.h5", scene, first_index=7)
    with pytest.raises(InputError, match="do not belong"):
        open_scan(path)


def test_reconstructions_are_read_from_every_format(scene: Scene, tmp_path: Path) -> None:
    product = open_reconstruction(write_product(tmp_path / "product.h5", scene))
    assert np.array_equal(product.object, scene.object)
    assert np.array_equal(product.probe, scene.probe)
    with h5py.File(tmp_path / "object.cxi", "w") as file:
        file["entry_1/image_1/data"] = scene.object
    assert np.array_equal(open_reconstruction(tmp_path / "object.cxi").object, scene.object)
    path = tmp_path / "tike.npz"
    np.savez(
        path,
        reconstructed_object=scene.object.astype(np.complex128),
        reconstructed_probe=scene.probe[None],
        algorithm="tike",
        reconstruction_time=12.5,
        metadata=np.array({"algorithm": "tike"}, object),
    )
    tike = open_reconstruction(path)
    assert (tike.label, tike.computation_time_s) == ("Tike", 12.5)
    assert tike.object.dtype == np.complex64
    assert any("pickled" in note for note in tike.notes)


def test_the_object_of_a_network_is_read_and_named_after_its_folder(
    scene: Scene, tmp_path: Path
) -> None:
    for folder, label in (("recons/pinn_fno", "pinn_fno"), ("elsewhere", "PtyChi")):
        path = tmp_path / folder / "recon.npz"
        path.parent.mkdir(parents=True)
        np.savez(path, YY_pred=scene.object, amp=abs(scene.object), phase=np.angle(scene.object))
        found = open_reconstruction(path)
        assert np.array_equal(found.object, scene.object)
        assert found.label == label


@pytest.mark.parametrize("value", [0, 0.5 - 2j])
def test_an_object_of_one_value_is_no_reconstruction(
    value: complex, scene: Scene, tmp_path: Path
) -> None:
    flat = np.full_like(scene.object, value)
    np.savez(tmp_path / "a.npz", reconstructed_object=flat)
    scene.object = flat
    with h5py.File(tmp_path / "a.cxi", "w") as file:
        file["entry_1/image_1/data"] = flat
    product = write_product(tmp_path / "a.h5", scene)
    for path in (tmp_path / "a.npz", tmp_path / "a.cxi", product):
        with pytest.raises(InputError, match="contains no usable values"):
            open_reconstruction(path)


@pytest.mark.parametrize("name", ["computation_time", "reconstruction_time"])
@pytest.mark.parametrize("time", [-5.0, np.nan, np.inf])
def test_a_time_that_is_no_duration_is_left_out_and_said(
    name: str, time: float, scene: Scene, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    said: dict[str, Any] = {name: time}
    np.savez(path, reconstructed_object=scene.object, algorithm="tike", **said)
    found = open_reconstruction(path)
    assert found.computation_time_s is None
    assert found.notes == (f"its {name} of {time:g} s is left out: it is not a duration",)


def test_a_real_reconstruction_is_read(shared: Path) -> None:
    found = open_reconstruction(shared / "data/siemens_ptychi_lsqml_1mode_60ep.npz")
    assert found.object.shape == (500, 498)
    assert found.label == "PtyChi"
    assert found.computation_time_s == pytest.approx(71.6, abs=0.1)


def test_layers_of_an_object_are_multiplied(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.h5", scene)
    with h5py.File(path, "a") as file:
        del file["object"]
        file["object"] = np.stack([scene.object, 2j * np.ones_like(scene.object)])
    assert np.allclose(open_reconstruction(path).object, 2j * scene.object)


@pytest.mark.parametrize(
    ("algorithm", "label"),
    [("tike", "Tike"), ("Tike rPIE", "Tike"), ("pty-chi", "PtyChi"), (None, "PtyChi")],
)
def test_the_label_follows_the_algorithm(algorithm: str | None, label: str) -> None:
    assert label_of(algorithm) == label


def outside(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["frames"] = np.ones((12, 8, 8), np.float32)
    return path


@pytest.mark.parametrize("how", ["external link", "link in a link", "virtual dataset", "raw data"])
def test_nothing_outside_the_file_is_read(how: str, scene: Scene, tmp_path: Path) -> None:
    other = outside(tmp_path / "other.h5")
    path = write_cxi(tmp_path / "scan.cxi", scene)
    with h5py.File(path, "a") as file:
        del file["entry_1/data_1/data"]
        group = file["entry_1/data_1"]
        if how == "external link":
            group["data"] = h5py.ExternalLink(str(other), "/frames")
        elif how == "link in a link":
            file["elsewhere"] = h5py.ExternalLink(str(other), "/")
            group["data"] = h5py.SoftLink("/elsewhere/frames")
        elif how == "virtual dataset":
            layout = h5py.VirtualLayout((12, 8, 8), np.float32)
            layout[:] = h5py.VirtualSource(str(other), "frames", (12, 8, 8))
            group.create_virtual_dataset("data", layout)
        else:
            raw = [(str(tmp_path / "raw.bin"), 0, 12 * 64 * 4)]
            group.create_dataset("data", (12, 8, 8), np.float32, external=raw)
    with pytest.raises(InputError, match=r"is not in the file|in another file"):
        open_scan(path)


@pytest.mark.parametrize("through", ["an external link", "another view"])
def test_a_view_of_the_file_itself_leads_nowhere_else_either(
    through: str, scene: Scene, tmp_path: Path
) -> None:
    other = outside(tmp_path / "other.h5")
    path = write_cxi(tmp_path / "scan.cxi", scene)
    shape = (12, 8, 8)
    with h5py.File(path, "a", libver="latest") as file:
        del file["entry_1/data_1/data"]
        if through == "another view":
            inner = h5py.VirtualLayout(shape, np.float32)
            inner[:] = h5py.VirtualSource(str(other), "frames", shape)
            file.create_virtual_dataset("inner", inner)
        else:
            file["inner"] = h5py.ExternalLink(str(other), "/frames")
        layout = h5py.VirtualLayout(shape, np.float32)
        layout[:] = h5py.VirtualSource(".", "inner", shape)
        file["entry_1/data_1"].create_virtual_dataset("data", layout)
    with pytest.raises(InputError, match="is not in the file"):
        open_scan(path)


def test_a_view_of_arrays_of_the_file_itself_is_read(scene: Scene, tmp_path: Path) -> None:
    path = write_cxi(tmp_path / "scan.cxi", scene)
    wanted = open_scan(path).amplitudes(np.arange(12))
    with h5py.File(path, "a", libver="latest") as file:
        del file["entry_1/data_1/data"]
        layout = h5py.VirtualLayout((12, 8, 8), np.int32)
        source = "entry_1/instrument_1/detector_1/data"
        layout[:] = h5py.VirtualSource(".", source, (12, 8, 8))
        file["entry_1/data_1"].create_virtual_dataset("data", layout)
    assert np.array_equal(open_scan(path).amplitudes(np.arange(12)), wanted)


MANY = 1 << 50
WRONG: dict[str, tuple[str, dict[str, object]]] = {
    "an object of all memory": ("object", {"shape": (1 << 30, 1 << 28), "dtype": "c8"}),
    "a chunk of all memory": (
        "object", {"shape": (1 << 21, 1 << 21), "dtype": "c8", "chunks": (1 << 14, 1 << 14)},
    ),
    "an object of text": ("object", {"data": np.full((4, 4), b"x")}),
    "an object of lists": ("object", {"shape": (4, 4), "dtype": h5py.vlen_dtype(np.float32)}),
    "an object of links": ("object", {"shape": (4, 4), "dtype": h5py.ref_dtype}),
    "an object of nothing": ("object", {"data": h5py.Empty("c8")}),
    "an object without pixels": ("object", {"shape": (0, 5), "dtype": "c8"}),
    "positions without end": ("probe_position_x_m", {"shape": (MANY,), "dtype": "f8"}),
    "positions of text": ("probe_position_x_m", {"data": np.full(12, b"x")}),
    "one position": ("probe_position_y_m", {"data": 1.0}),
    "positions that are not numbers": ("probe_position_y_m", {"data": np.full(12, np.nan)}),
    "frames without end": ("patterns", {"shape": (MANY, 8, 8), "dtype": "f4"}),
    "frames of all memory": ("patterns", {"shape": (12, 1 << 24, 1 << 24), "dtype": "f4"}),
    "frames of nothing": ("patterns", {"data": h5py.Empty("f4")}),
    "a probe of all memory": ("probe", {"shape": (MANY, 8, 8), "dtype": "c8"}),
    "no probe": ("probe", {"shape": (0, 8, 8), "dtype": "c8"}),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_arrays_that_cannot_be_what_they_are_called_are_named(
    case: str, scene: Scene, tmp_path: Path
) -> None:
    name, settings = WRONG[case]
    path = write_product(tmp_path / "product.h5", scene, frames=True)
    with h5py.File(path, "a") as file:
        attributes = dict(file[name].attrs)
        del file[name]
        chunks = {} if "data" in settings or "chunks" in settings else {"chunks": True}
        made = file.create_dataset(name, **settings, **chunks)
        made.attrs.update(attributes)
    with pytest.raises(InputError, match=str(path)):
        open_scan(path)


@pytest.mark.parametrize("value", ["wide", np.inf, np.nan, -1.0, 0, np.ones(3), h5py.Empty("f8")])
def test_a_pixel_that_has_no_size_is_named(value: object, scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.h5", scene, frames=True)
    with h5py.File(path, "a") as file:
        file["object"].attrs["pixel_width_m"] = value
    with pytest.raises(InputError, match="no pixel size"):
        open_scan(path)


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = h5py.SoftLink("/b")
        file["b"] = h5py.SoftLink("/a")
    assert Hdf5File(tmp_path / "a.h5").dataset("a") is None


@pytest.mark.parametrize(
    ("remove", "says"),
    [
        ("entry_1/instrument_1/detector_1/distance", "how large a pixel"),
        ("entry_1/instrument_1/source_1/wavelength", "how large a pixel"),
        ("entry_1/sample_1/geometry_1/translation", "has no entry_1/data_1/translation"),
    ],
)
def test_what_a_cxi_scan_lacks_is_named(
    remove: str, says: str, scene: Scene, tmp_path: Path
) -> None:
    path = write_cxi(tmp_path / "scan.cxi", scene)
    with h5py.File(path, "a") as file:
        del file[remove]
    with pytest.raises(InputError, match=says):
        open_scan(path)


def test_files_of_no_known_layout_are_refused(tmp_path: Path) -> None:
    path = outside(tmp_path / "other.h5")
    with pytest.raises(InputError, match="holds no scan"):
        open_scan(path)
    with pytest.raises(InputError, match="holds no reconstruction"):
        open_reconstruction(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(InputError):
        open_scan(path)
    np.savez(tmp_path / "a.npz", something=1)
    with pytest.raises(InputError, match="reconstructed_object"):
        open_reconstruction(tmp_path / "a.npz")
