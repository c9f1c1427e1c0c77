"""Are frames of a product found beside it, in whichever file ptychodus wrote them to?"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.opening import open_scan
from tests import foreign_files as files
from tests.foreign_files import N_FRAMES

SCENE = files.scene()
LEFT = np.delete(np.arange(N_FRAMES), 2)[::-1]


def product_without_frames(path: Path) -> Path:
    files.write_product(path, SCENE)
    with h5py.File(path, "a") as file:
        del file["patterns"], file["indexes"]
    return path


def test_frames_in_an_npz_beside_an_hdf5_product_are_matched_by_their_index(tmp_path: Path) -> None:
    path = product_without_frames(tmp_path / "product.h5")
    bad = np.zeros(SCENE.counts.shape[1:], bool)
    bad[7, 7] = True
    beside = tmp_path / "diffraction.npz"
    np.savez_compressed(beside, patterns=SCENE.counts[LEFT], indexes=LEFT, bad_pixels=bad)
    scan = open_scan(path, cache_dir=tmp_path / "cache")
    rows = np.sort(LEFT)
    assert np.allclose(scan.positions_px, SCENE.positions_px[rows])
    wanted = np.where(bad, 0, SCENE.counts[rows])
    assert np.allclose(scan.amplitudes(np.arange(len(rows))) ** 2, wanted, rtol=1e-5)
    assert scan.beside == (beside,)
    assert scan.bad_pixels is not None
    assert scan.bad_pixels.sum() == 1
    (doubt,) = scan.doubts
    assert "1 of 7 positions have no frame of their index (2)" in doubt


@pytest.mark.slow
def test_frames_in_an_hdf5_file_beside_an_npz_product_are_matched(tmp_path: Path) -> None:
    path = tmp_path / "product.npz"
    np.savez(path, **files.product_members(SCENE))
    with h5py.File(tmp_path / "diffraction.h5", "w") as file:
        file["patterns"], file["indexes"] = SCENE.counts[LEFT], LEFT
    scan = open_scan(path)
    wanted = SCENE.counts[np.sort(LEFT)]
    assert np.allclose(scan.amplitudes(np.arange(len(LEFT))) ** 2, wanted, rtol=1e-5)


def test_a_file_of_diffraction_without_frames_is_named(tmp_path: Path) -> None:
    path = product_without_frames(tmp_path / "product.h5")
    np.savez(tmp_path / "diffraction.npz", indexes=LEFT)
    with pytest.raises(InputError, match=r"diffraction\.npz holds no diffraction\n.*patterns"):
        open_scan(path)
