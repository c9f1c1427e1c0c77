"""Does a file that was converted hold what the first one held, and is it there whole or not?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ptyrun import open_reconstruction, open_scan
from ptyrun.door.converting import convert
from ptyrun.errors import InputError, UsageError
from tests import foreign_files as files
from tests.foreign_files import N_FRAMES, RECONSTRUCTIONS, SCANS, Made

SCENE = files.scene()
SAMPLE = {"contract", "ptypy", "reconstruction"}


def cases(made: tuple[Made, ...]) -> list[object]:
    """A few at once, all when there is time: each HDF5 file is looked through by a process."""
    return [
        pytest.param(each, id=f"{each.reader} {each.name}", marks=())
        if each.reader in SAMPLE
        else pytest.param(each, id=f"{each.reader} {each.name}", marks=pytest.mark.slow)
        for each in made
    ]


@pytest.mark.parametrize("ending", ["npz", "cxi"])
@pytest.mark.parametrize("made", cases(SCANS))
def test_a_scan_comes_back_from_what_it_was_converted_to(
    made: Made, ending: str, tmp_path: Path
) -> None:
    source = made.write(tmp_path / made.name, SCENE)
    first, out = open_scan(source), tmp_path / f"out.{ending}"
    if ending == "cxi" and not (first.pixel_size_m and first.energy_ev and first.distance_m):
        with pytest.raises(InputError, match="does not say its"):
            convert(source, out, what="scan")
        assert not list(tmp_path.glob("out*"))
        return
    assert convert(source, out).kind == "scan"
    again = open_scan(out)
    every = np.arange(N_FRAMES)
    assert np.allclose(again.amplitudes(every), first.amplitudes(every), rtol=1e-6)
    assert (again.bad_pixels is None) == (first.bad_pixels is None)
    if first.bad_pixels is not None and again.bad_pixels is not None:
        assert np.array_equal(again.bad_pixels, first.bad_pixels)
    shift_px = again.positions_px - first.positions_px
    assert np.allclose(shift_px, shift_px[0], atol=1e-6)
    if ending == "npz":
        assert np.array_equal(again.positions_px, first.positions_px)
        assert (again.object_guess is None) == (first.object_guess is None)
        if again.object_guess is not None and first.object_guess is not None:
            assert np.array_equal(again.object_guess, first.object_guess)
    if first.probe_modes is not None:
        assert again.probe_modes is not None
        assert np.array_equal(again.probe_modes, first.probe_modes)
    names = ("pixel_size_m", "energy_ev", "distance_m")
    for name in names if ending == "npz" else names[:1]:
        known = getattr(first, name)
        assert getattr(again, name) == (pytest.approx(known, rel=1e-6) if known else None), name


@pytest.mark.parametrize("ending", ["npz", "cxi"])
@pytest.mark.parametrize("made", cases(RECONSTRUCTIONS))
def test_a_reconstruction_comes_back_from_what_it_was_converted_to(
    made: Made, ending: str, tmp_path: Path
) -> None:
    source = made.write(tmp_path / made.name, SCENE)
    first, out = open_reconstruction(source), tmp_path / f"out.{ending}"
    assert convert(source, out, what="reconstruction").kind == "reconstruction"
    again = open_reconstruction(out)
    assert np.array_equal(again.object, first.object)
    if ending == "npz":
        assert (again.probe_modes is None) == (first.probe_modes is None)
        if first.probe_modes is not None and again.probe_modes is not None:
            assert np.array_equal(again.probe_modes, first.probe_modes)
    known = first.pixel_size_m
    assert again.pixel_size_m == (pytest.approx(known) if known else None)


def test_a_file_is_not_overwritten_unasked(tmp_path: Path) -> None:
    source, out = files.write_npy(tmp_path / "a.npy", SCENE), tmp_path / "out.npz"
    out.write_text("mine")
    with pytest.raises(UsageError, match="existing files are not overwritten"):
        convert(source, out)
    assert out.read_text() == "mine"
    convert(source, out, overwrite=True)
    assert np.array_equal(open_reconstruction(out).object, SCENE.object)


def test_another_name_than_npz_or_cxi_is_refused(tmp_path: Path) -> None:
    source = files.write_npy(tmp_path / "a.npy", SCENE)
    with pytest.raises(UsageError, match=r"names end in \.npz or \.cxi"):
        convert(source, tmp_path / "out.tif")


def test_a_truth_stays_a_truth(tmp_path: Path) -> None:
    source = files.write_contract(tmp_path / "scan.npz", SCENE)
    with np.load(source) as arrays:
        members = dict(arrays)
    np.savez(source, **members, _metadata=np.array('{"simulation_type": "grid"}'))
    convert(source, tmp_path / "out.npz")
    assert open_scan(tmp_path / "out.npz").object_is_truth


DIES = """
import os, sys
def hook(event, arguments):
    if event == "os.rename":
        os._exit(9)
from pathlib import Path
from ptyrun.door.converting import convert
sys.addaudithook(hook)
convert(Path(sys.argv[1]), Path(sys.argv[2]), overwrite=True)
"""


def test_a_conversion_that_dies_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    source, out = files.write_npy(tmp_path / "a.npy", SCENE), tmp_path / "out.npz"
    out.write_text("mine")
    done = subprocess.run([sys.executable, "-c", DIES, source, out], check=False)
    assert done.returncode == 9
    assert out.read_text() == "mine"


def test_what_is_doubted_of_a_scan_is_said_when_it_is_converted(tmp_path: Path) -> None:
    source = files.write_product_npz(tmp_path / "product.npz", SCENE)
    kept = np.delete(np.arange(N_FRAMES), 2)
    np.savez(tmp_path / "diffraction.npz", patterns=SCENE.counts[kept], indexes=kept)
    done = convert(source, tmp_path / "out.npz")
    assert [doubt for doubt in done.doubts if "1 of 7 positions have no frame" in doubt]
    assert open_scan(source).beside == (tmp_path / "diffraction.npz",)
