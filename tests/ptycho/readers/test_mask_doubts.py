"""Is it named when a mask, the kind of frames, their zero frequency or an energy is mistaken?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.ptycho.consistency.verdict import truth_doubts
from ptyrun.ptycho.readers.detector import mask_doubts
from ptyrun.ptycho.readers.opening import open_scan
from tests import foreign_files as files
from tests.foreign_files import N_FRAMES, SIDE
from tests.ptycho.consistency.test_frame_order import Frames, counts

SCENE = files.scene()
FRAMES = Frames(SCENE.counts.astype(np.float32))
MIDDLE = np.zeros((SIDE, SIDE), bool)
MIDDLE[2:7, 2:7] = True


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (MIDDLE, "and with them most of the signal"),
        (np.arange(SIDE**2).reshape(SIDE, SIDE) > 2, "does it mark the good ones?"),
        (~MIDDLE, ""),  # the rim: what detectors lack
        (np.eye(SIDE, dtype=bool), ""),
        (None, ""),
    ],
)
def test_a_mask_that_takes_the_signal_out_is_doubted(bad: np.ndarray | None, said: str) -> None:
    doubts = mask_doubts(bad, FRAMES, N_FRAMES)
    assert [said in doubt for doubt in doubts] == ([True] if said else [])


def test_a_mask_of_good_pixels_beside_a_product_is_doubted(tmp_path: Path) -> None:
    path = files.write_product_npz(tmp_path / "product.npz", SCENE)
    mask = {"bad_pixels": MIDDLE, "indexes": np.arange(N_FRAMES), "patterns": SCENE.counts}
    np.savez(tmp_path / "diffraction.npz", **mask)
    assert any("most of the signal" in doubt for doubt in open_scan(path).doubts)


def test_a_zero_frequency_in_the_corner_is_doubted_without_an_object(tmp_path: Path) -> None:
    y, x = SCENE.positions_px.T
    path = tmp_path / "scan.npz"
    for shift, n_doubts in ((0, 0), (SIDE // 2, 1)):
        np.savez(path, diff3d=np.roll(SCENE.counts, shift, (1, 2)), xcoords=x, ycoords=y)
        doubts = open_scan(path).doubts
        assert sum("does it lie in the corner?" in doubt for doubt in doubts) == n_doubts


def test_amplitudes_that_are_taken_as_intensity_are_doubted() -> None:
    scan = counts(1e6)
    assert truth_doubts(scan) == ()
    stored = Frames(scan.amplitudes(np.arange(scan.n_frames)))
    (doubt,) = truth_doubts(replace(scan, source=stored))
    assert doubt.startswith(
        "the diffraction looks like amplitude: use --diffraction-kind amplitude"
    )


@pytest.mark.parametrize("kev", [12398.0, 1.98e-15, -8.0])
def test_an_energy_of_ptypy_that_no_photons_have_is_refused(kev: float, tmp_path: Path) -> None:
    path = files.write_ptyd(tmp_path / "scan.ptyd", SCENE)
    with h5py.File(path, "a") as file:
        file["meta/energy"][...] = kev
    with pytest.raises(InputError, match="energy"):
        open_scan(path)


@pytest.mark.slow
def test_a_wavelength_of_ptylab_in_nanometres_is_refused(tmp_path: Path) -> None:
    path = files.write_ptylab_scan(tmp_path / "scan.hdf5", SCENE)
    with h5py.File(path, "a") as file:
        file["wavelength"][...] = 0.1
    with pytest.raises(InputError, match="not the energy of a photon"):
        open_scan(path)
