"""Is every layout read as its definition says, value by value?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from ptyrun import open_reconstruction, open_scan
from ptyrun.errors import InputError
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.registry import own_readers
from tests import foreign_files as files
from tests.foreign_files import N_FRAMES, PIXEL_M, RECONSTRUCTIONS, SCANS, SIDE, Made

SCENE = files.scene()
# Each HDF5 file is looked through by a process of its own.
SLOW = pytest.mark.slow


def test_every_reader_has_a_test() -> None:
    assert {made.reader for made in (*SCANS, *RECONSTRUCTIONS)} == {
        reader.card.name for reader in own_readers()
    }


@pytest.mark.parametrize("made", SCANS, ids=lambda made: f"{made.reader} {made.name}")
def test_a_scan_is_read_value_by_value(made: Made, tmp_path: Path) -> None:
    scan = open_scan(made.write(tmp_path / made.name, SCENE))
    assert scan.reader == made.reader
    steps_px = scan.positions_px - scan.positions_px[0]
    wanted_px = SCENE.positions_px - SCENE.positions_px[0]
    if made.is_raster:
        wanted_px = np.c_[np.zeros(N_FRAMES), 3.0 * np.arange(N_FRAMES)]
    assert np.allclose(steps_px, wanted_px, atol=1e-6)
    some = np.array([5, 0, 6, 5])
    amplitude = made.share * np.sqrt(SCENE.counts[some])
    if scan.bad_pixels is not None:
        amplitude[:, scan.bad_pixels] = 0
    assert np.allclose(scan.amplitudes(some), amplitude, rtol=1e-6)
    assert (scan.n_frames, scan.patch_px) == (N_FRAMES, SIDE)
    if made.has_probe:
        assert scan.probe is not None
        assert np.array_equal(scan.probe, SCENE.modes[0])
    assert scan.pixel_size_m == (pytest.approx(PIXEL_M, rel=1e-6) if made.has_pixel else None)


@pytest.mark.parametrize("made", RECONSTRUCTIONS, ids=lambda made: f"{made.reader} {made.name}")
def test_a_reconstruction_is_read_value_by_value(made: Made, tmp_path: Path) -> None:
    found = open_reconstruction(made.write(tmp_path / made.name, SCENE))
    assert found.reader == made.reader
    assert np.allclose(found.object, SCENE.object, rtol=1e-6)
    modes = found.probe_modes
    assert (modes is not None) == made.has_probe
    if modes is not None:
        assert np.array_equal(modes, SCENE.modes)
    if made.has_pixel:
        assert found.pixel_size_m == pytest.approx(PIXEL_M, rel=1e-6)


def test_a_pixel_that_ptypy_leaves_out_in_one_chunk_is_bad(tmp_path: Path) -> None:
    scan = open_scan(files.write_ptyd(tmp_path / "scan.ptyd", SCENE))
    assert scan.bad_pixels is not None
    assert np.argwhere(scan.bad_pixels).tolist() == [[0, 1]]
    assert not scan.amplitudes(np.arange(N_FRAMES))[:, 0, 1].any()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("meta/energy", None, "no positive meta/energy"),
        ("meta/propagation", "nearfield", "near field"),
        pytest.param("meta/psize", np.array([0.0]), "no positive meta/psize", marks=SLOW),
        pytest.param("chunks/1/positions", np.zeros((9, 2)), "do not fit its", marks=SLOW),
        pytest.param("chunks/1/weights", np.ones((3, 4, 4)), "do not fit its", marks=SLOW),
        pytest.param("chunks/1/data", np.ones((3, 4, 4)), "different sizes", marks=SLOW),
    ],
)
def test_a_ptyd_that_lacks_something_is_refused_by_name(
    name: str, value: object, said: str, tmp_path: Path
) -> None:
    path = files.write_ptyd(tmp_path / "scan.ptyd", SCENE)
    with h5py.File(path, "a") as file:
        del file[name]
        if value is not None:
            file[name] = value
    with pytest.raises(InputError, match=said):
        open_scan(path)


def test_slices_of_matlab_become_their_product_and_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "slices.mat"
    slices = np.stack([SCENE.object, SCENE.object.conj()], -1)
    scipy.io.savemat(path, {"object": slices})
    found = open_reconstruction(path)
    assert np.allclose(found.object, np.abs(SCENE.object) ** 2, rtol=1e-6)
    assert "object is the product of its 2 slices" in found.notes


def test_a_cell_array_of_matlab_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cell.mat"
    cells = np.empty(1, object)
    cells[0] = SCENE.object
    scipy.io.savemat(path, {"object": cells})
    with pytest.raises(InputError, match=r"object .* holds no numbers\n.*class cell"):
        open_reconstruction(path)


def test_a_matlab_file_that_unpacks_to_more_than_its_header_says_is_refused(
    tmp_path: Path,
) -> None:
    """The header of the variable is changed: it says one value, and a hundred thousand follow."""
    import struct
    import zlib

    path = tmp_path / "bomb.mat"
    scipy.io.savemat(path, {"object": np.zeros((100_000, 8))}, do_compression=False)
    raw = bytearray(path.read_bytes())
    assert struct.unpack_from("<2i", raw, 128 + 32) == (100_000, 8)
    struct.pack_into("<2i", raw, 128 + 32, 2, 2)
    packed = zlib.compress(bytes(raw[128:]))
    path.write_bytes(bytes(raw[:128]) + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(InputError, match="it unpacks to more than"):
        open_reconstruction(path)


def test_of_six_axes_of_ptylab_the_first_image_is_taken_and_said(tmp_path: Path) -> None:
    path = files.write_ptylab(tmp_path / "result.hdf5", SCENE)
    other = np.zeros_like(SCENE.object)
    with h5py.File(path, "a") as file:
        del file["object"]
        file["object"] = np.stack([[SCENE.object, other], [other, other], [other, other]])[
            :, None, None
        ]
    found = open_reconstruction(path)
    assert np.array_equal(found.object, SCENE.object)
    assert "object has 3 wavelengths and 2 slices: the first is taken" in found.notes


def test_an_object_without_phase_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "real.npy"
    np.save(path, np.abs(SCENE.object))
    with pytest.raises(InputError, match="its phase is missing"):
        open_reconstruction(path)


def test_a_stack_of_bare_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stack.npy"
    np.save(path, SCENE.modes)
    with pytest.raises(InputError, match="is not a single image"):
        open_reconstruction(path)


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "objects.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match="Python objects in dtype"):
        open_reconstruction(path)


def test_a_position_whose_frame_was_dropped_is_left_out_and_said(tmp_path: Path) -> None:
    path = files.write_product_npz(tmp_path / "product.npz", SCENE)
    kept = np.delete(np.arange(N_FRAMES), 2)
    beside = tmp_path / "diffraction.npz"
    np.savez(beside, patterns=SCENE.counts[kept], indexes=kept)
    scan = open_scan(path)
    assert np.allclose(scan.positions_px, SCENE.positions_px[kept])
    assert np.allclose(scan.amplitudes(np.arange(6)) ** 2, SCENE.counts[kept], rtol=1e-5)
    assert scan.doubts == (
        "1 of 7 positions have no frame of their index (2) and are left out; 0 frames have no "
        "position",
    )


@pytest.mark.parametrize("indexes", [np.zeros(N_FRAMES, int), np.arange(N_FRAMES) + 0.5, None])
def test_indexes_that_number_nothing_are_taken_in_order_and_it_is_said(
    indexes: np.ndarray | None, tmp_path: Path
) -> None:
    path = tmp_path / "product.npz"
    members = files.product_members(SCENE)
    del members["probe_position_indexes"]
    if indexes is not None:
        members["probe_position_indexes"] = indexes
    np.savez(path, **members)
    np.savez(tmp_path / "diffraction.npz", patterns=SCENE.counts, indexes=np.arange(N_FRAMES))
    scan = open_scan(path)
    assert np.allclose(scan.amplitudes(np.arange(N_FRAMES)) ** 2, SCENE.counts, rtol=1e-5)
    assert any("taken in their order" in said for said in (*scan.notes, *scan.doubts))


def test_a_mask_that_takes_every_pixel_out_is_refused(tmp_path: Path) -> None:
    path = files.write_product_npz(tmp_path / "product.npz", SCENE)
    frames = {"patterns": SCENE.counts, "indexes": np.arange(N_FRAMES)}
    everywhere = np.ones(SCENE.counts.shape[1:], bool)
    np.savez(tmp_path / "diffraction.npz", bad_pixels=everywhere, **frames)
    with pytest.raises(InputError, match="every pixel"):
        open_scan(path)


def test_frames_of_another_scan_are_refused(tmp_path: Path) -> None:
    path = files.write_product_npz(tmp_path / "product.npz", SCENE)
    np.savez(tmp_path / "diffraction.npz", patterns=SCENE.counts, indexes=np.arange(N_FRAMES) + 50)
    with pytest.raises(InputError, match="7 of 7 positions have no frame of their index"):
        open_scan(path)


@pytest.mark.parametrize(
    "unit", ["pixels", pytest.param("mrad", marks=SLOW), pytest.param("parsec", marks=SLOW)]
)
def test_a_cube_that_is_not_calibrated_is_refused(unit: str, tmp_path: Path) -> None:
    path = files.write_emd(tmp_path / "cube.h5", SCENE)
    with h5py.File(path, "a") as file:
        del file["datacube_root/metadatabundle/calibration/Q_pixel_units"]
        file["datacube_root/metadatabundle/calibration/Q_pixel_units"] = unit
    with pytest.raises(InputError, match=f"is not calibrated\n.*{unit}"):
        open_scan(path)


def test_pairs_to_train_ptychonn_with_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", reciprocal=SCENE.counts, real=SCENE.counts + 1j)
    with pytest.raises(InputError, match=r"has no positions\n.*pairs to train PtychoNN with"):
        open_scan(tmp_path / "train.npz")


def test_positions_in_metres_of_ptychonn_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "nn.npz", reciprocal=SCENE.counts, scan=SCENE.positions_px * 1e-8)
    with pytest.raises(InputError, match="is not in pixels"):
        open_scan(tmp_path / "nn.npz")


def test_frames_of_tike_about_the_middle_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "tike.npz"
    np.savez(path, data=SCENE.counts, scan=SCENE.positions_px)
    amplitudes = open_scan(path).amplitudes(np.arange(N_FRAMES))
    assert np.allclose(amplitudes**2, SCENE.counts, rtol=1e-5)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_frames_of_tike_with_an_axis_for_the_angle_are_not_held_in_memory(
    save: Callable[..., None], order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tike.npz"
    save(path, data=np.array(SCENE.counts[None], order=order), scan=SCENE.positions_px[None])  # type: ignore[call-overload]
    whole, read = NpzFile.array, []

    def counted(self: NpzFile, name: str) -> np.ndarray:
        read.append(name)
        return whole(self, name)

    monkeypatch.setattr(NpzFile, "array", counted)
    some = np.array([5, 0, 6, 5])
    amplitudes = open_scan(path, cache_dir=tmp_path / "cache").amplitudes(some)
    assert np.allclose(amplitudes**2, SCENE.counts[some], rtol=1e-5)
    assert "data" not in read
