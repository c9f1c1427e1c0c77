from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from tests.ptycho.conftest import Scene, rewritten
from tests.ptycho.readers.test_readers import write_diffraction, write_product

pytestmark = pytest.mark.usefixtures("unsuspicious")


@pytest.mark.parametrize("where", ["product", "diffraction"])
@pytest.mark.parametrize(
    "indexes",
    [
        *(np.zeros(12, int), np.arange(12) // 4, np.arange(12) + 0.5),
        *(np.full(12, b"x"), np.full(12, np.nan), np.array(3), np.arange(12)[:, None]),
    ],
    ids=["zeros", "scans", "halves", "text", "NaN", "one", "two axes"],
)
def test_what_cannot_be_indexes_of_frames_is_taken_in_order_and_said(
    where: str, indexes: np.ndarray, scene: Scene, tmp_path: Path
) -> None:
    path = write_product(tmp_path / "product.h5", scene)
    beside = write_diffraction(tmp_path / "diffraction.h5", scene)
    name, file = ("probe_position_indexes", path) if where == "product" else ("indexes", beside)
    with h5py.File(file, "a") as opened:
        del opened[name]
        opened[name] = indexes
    scan = open_scan(path)
    expected = (np.rint(scene.amplitude**2)).sum(axis=(1, 2)) - np.rint(scene.amplitude**2)[:, 7, 7]
    assert np.allclose(scan.energies(), expected)
    assert any("not indexes of frames" in doubt for doubt in scan.doubts)
    with h5py.File(tmp_path / "fewer.h5", "w") as opened, h5py.File(beside) as source:
        opened["patterns"] = source["patterns"][:9]
        opened["indexes"] = np.atleast_1d(source["indexes"])[:9]
    (tmp_path / "fewer.h5").replace(beside)
    if where == "product":
        with pytest.raises(InputError, match="not indexes of frames"):
            open_scan(path)


def test_frames_that_were_dropped_are_matched_by_their_index(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.h5", scene)
    beside = write_diffraction(tmp_path / "diffraction.h5", scene)
    left = np.array([11, 0, 1, 2, 4, 5, 6, 7, 8, 9])  # not 3 and 10, and not sorted
    with h5py.File(beside, "a") as file:
        frames = file["patterns"][()][left]
        del file["patterns"], file["indexes"]
        file["patterns"], file["indexes"] = frames, left
    scan = open_scan(path)
    rows = np.array([k for k in range(11, -1, -1) if k in left])
    assert np.allclose(scan.positions_px, np.stack([scene.y, scene.x], 1)[rows])
    expected = scene.amplitude[rows].copy()
    expected[:, 7, 7] = 0
    assert np.allclose(scan.amplitudes(np.arange(10)), expected, atol=1e-6)
    (doubt,) = scan.doubts
    assert "2 of 12 positions have no frame of their index (3, 10)" in doubt


def test_two_counts_that_begin_elsewhere_are_doubted(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.h5", scene)
    write_diffraction(tmp_path / "diffraction.h5", scene, first_index=1)
    (doubt,) = open_scan(path).doubts
    assert "count from different numbers" in doubt


def test_units_of_a_products_positions_are_honoured(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.h5", scene, frames=True)
    expected = open_scan(path).positions_px
    with rewritten(path) as file:
        for axis in "xy":
            name = f"probe_position_{axis}_m"
            values = file[name][()] * 1e6
            del file[name]
            file[name] = values
            file[name].attrs["units"] = "um"
        file.attrs["probe_energy_eV"], file.attrs["detector_object_distance_m"] = 8000.0, 2.0
    scan = open_scan(path)
    assert np.allclose(scan.positions_px, expected)
    assert (scan.energy_ev, scan.distance_m) == (8000, 2)
    with rewritten(path) as file:
        file["probe_position_x_m"].attrs["units"] = "steps"
    with pytest.raises(InputError, match="'steps'"):
        open_scan(path)


def test_a_product_without_a_phase_is_refused(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.h5", scene, frames=True)
    with rewritten(path) as file:
        attributes = dict(file["object"].attrs)
        del file["object"]
        file["object"] = np.abs(scene.object)
        file["object"].attrs.update(attributes)
    for opens in (open_scan, open_reconstruction):
        with pytest.raises(InputError, match="phase is missing"):
            opens(path)
