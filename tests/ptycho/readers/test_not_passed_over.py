"""Is what would make numbers wrong, or leaves something out, said or refused?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun import open_reconstruction, open_scan
from ptyrun.errors import InputError
from tests import foreign_files as files
from tests.foreign_files import DETECTOR_M, N_FRAMES, SIDE

pytestmark = pytest.mark.usefixtures("unsuspicious")

SCENE = files.scene()
IMAGE = "entry_1/image_1"
MASK = "entry_1/instrument_1/detector_1/mask"
Write = Callable[[Path, files.Scene], Path]


def put(path: Path, **members: object) -> Path:
    """Add or replace members of an HDF5 file; `__` stands for `/`."""
    with h5py.File(path, "a") as file:
        for name, value in members.items():
            name = name.replace("__", "/")
            if name in file:
                del file[name]
            file[name] = value
    return path


@pytest.mark.parametrize("space", ["diffraction", b"DIFFRACTION", np.array([b"reciprocal"])])
def test_an_image_of_diffraction_space_is_no_object(space: object, tmp_path: Path) -> None:
    path = put(files.write_cxi_object(tmp_path / "o.cxi", SCENE), **{f"{IMAGE}/data_space": space})
    with pytest.raises(InputError, match="is not an object"):
        open_reconstruction(path)


@pytest.mark.parametrize("flag", [1, np.array([1], ">i4"), True, 1.0])
def test_an_image_whose_halves_are_exchanged_is_refused(flag: object, tmp_path: Path) -> None:
    path = files.write_cxi_object(tmp_path / "o.cxi", SCENE)
    put(path, **{f"{IMAGE}/is_fft_shifted": flag})
    with pytest.raises(InputError, match="halves swapped"):
        open_reconstruction(path)


@pytest.mark.parametrize("space", ["real", "Real", b"object"])
def test_an_image_of_real_space_is_read(space: object, tmp_path: Path) -> None:
    path = files.write_cxi_object(tmp_path / "o.cxi", SCENE)
    put(path, **{f"{IMAGE}/data_space": space, f"{IMAGE}/is_fft_shifted": 0})
    assert np.array_equal(open_reconstruction(path).object, SCENE.object)


def test_of_several_images_of_a_cxi_file_it_is_said_which_is_taken(tmp_path: Path) -> None:
    path = files.write_cxi_object(tmp_path / "o.cxi", SCENE)
    put(path, **{f"{IMAGE}/data": np.stack([SCENE.object, SCENE.object / 9])})
    found = open_reconstruction(path)
    assert np.array_equal(found.object, SCENE.object)
    assert any("has 2 images: the first is taken" in note for note in found.notes)


@pytest.mark.parametrize("first", [0, 3])
def test_masks_that_differ_from_frame_to_frame_are_said(first: int, tmp_path: Path) -> None:
    masks = np.zeros((N_FRAMES, SIDE, SIDE), np.uint32)
    masks[first:, 1, 2] = 1
    scan = open_scan(put(files.write_cxi(tmp_path / "s.cxi", SCENE), **{MASK: masks}))
    assert scan.bad_pixels is not None
    assert np.argwhere(scan.bad_pixels).tolist() == [[1, 2]]
    said = any("1 pixels that are bad in some frames" in doubt for doubt in scan.doubts)
    assert said == (first > 0)


@pytest.mark.parametrize("first", [0, 2])
def test_weights_of_ptypy_that_differ_from_frame_to_frame_are_said(
    first: int, tmp_path: Path
) -> None:
    weights = np.ones((N_FRAMES - 4, SIDE, SIDE), bool)
    weights[first:, 0, 1] = False
    path = put(files.write_ptyd(tmp_path / "s.ptyd", SCENE), chunks__1__weights=weights)
    said = any("differs from frame to frame" in doubt for doubt in open_scan(path).doubts)
    assert said == (first > 0)


@pytest.mark.parametrize("orientation", [2, "2", np.array([]), np.array([0, 1])[1:]])
def test_frames_of_ptylab_that_are_to_be_turned_are_refused(
    orientation: object, tmp_path: Path
) -> None:
    path = put(files.write_ptylab_scan(tmp_path / "s.hdf5", SCENE), orientation=orientation)
    with pytest.raises(InputError, match="asks for its frames to be turned"):
        open_scan(path)


@pytest.mark.parametrize(("off_px", "said"), [(0.0, False), (0.6, False), (3.0, True)])
def test_a_beam_of_py4dstem_off_the_middle_is_said(
    off_px: float, said: bool, tmp_path: Path
) -> None:
    path = files.write_emd(tmp_path / "c.h5", SCENE)
    home = "datacube_root__metadatabundle__calibration"
    put(path, **{f"{home}__qx0_mean": SIDE / 2 + off_px, f"{home}__qy0_mean": SIDE / 2})
    assert any("beam's centre" in doubt for doubt in open_scan(path).doubts) == said


def npz_of(path: Path, **members: np.ndarray) -> Path:
    """A scan of the contract, with some members changed."""
    with np.load(files.write_contract(path, SCENE)) as held:
        arrays = {name: held[name] for name in held.files}
    np.savez(path, **{**arrays, **members})
    return path


def test_a_probe_without_phase_is_said(tmp_path: Path) -> None:
    path = npz_of(tmp_path / "s.npz", probeGuess=np.abs(SCENE.modes[0]))
    assert any("its phase is taken as 0" in note for note in open_scan(path).notes)


def test_frames_that_are_there_twice_are_said(tmp_path: Path) -> None:
    path = npz_of(tmp_path / "s.npz", diff3d=SCENE.counts)
    assert "diff3d is there, too, and is not read" in open_scan(path).notes


@pytest.mark.parametrize("far", [1e16, -1e200, 3e300])
def test_a_position_that_is_no_place_is_refused(far: float, tmp_path: Path) -> None:
    x = SCENE.positions_px[:, 1].copy()
    x[3] = far
    with pytest.raises(InputError, match="no object has more than"):
        open_scan(npz_of(tmp_path / "s.npz", xcoords=x))


def test_translations_of_any_length_are_places_or_refused(tmp_path: Path) -> None:
    moved = np.zeros((N_FRAMES, 3))
    moved[2, 0] = 1e244 * DETECTOR_M
    path = files.write_cxi(tmp_path / "s.cxi", SCENE)
    with pytest.raises(InputError, match="no object has more than"):
        open_scan(put(path, entry_1__sample_1__geometry_1__translation=moved))


def test_a_product_that_holds_its_frames_as_diffraction_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    members = files.product_members(SCENE)
    np.savez(path, **members, diffraction=SCENE.counts, indexes=np.arange(N_FRAMES))
    scan = open_scan(path)
    assert scan.reader == "product-npz"
    steps_px = scan.positions_px - scan.positions_px[0]
    assert np.allclose(steps_px, SCENE.positions_px - SCENE.positions_px[0], atol=1e-6)
    assert np.allclose(scan.amplitudes(np.arange(N_FRAMES)), np.sqrt(SCENE.counts))


@pytest.mark.parametrize(
    ("axes", "refused"),
    [
        ("translation:y:x", False),
        ("experiment:y:x", False),
        (b"x:y:translation", True),
        (np.array([b"y", b"x", b"translation"]), True),
        (7, False),
    ],
)
def test_frames_along_another_axis_than_the_first_are_refused(
    axes: object, refused: bool, tmp_path: Path
) -> None:
    path = files.write_cxi(tmp_path / "s.cxi", SCENE)
    with h5py.File(path, "a") as file:
        file["entry_1/instrument_1/detector_1/data"].attrs["axes"] = axes
    if refused:
        with pytest.raises(InputError, match="another axis than the first"):
            open_scan(path)
    else:
        assert open_scan(path).n_frames == N_FRAMES
