"""Is what is written plain, and the same bytes for the same content?"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ptyrun import open_scan
from ptyrun.ptycho.writing import write_scan_npz
from tests import foreign_files as files

SCENE = files.scene()


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    scan = open_scan(files.write_contract(tmp_path / "scan.npz", SCENE))
    for name in ("one.npz", "two.npz"):
        write_scan_npz(tmp_path / name, scan)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_counts_keep_their_type_and_lie_unpacked(tmp_path: Path) -> None:
    scan = open_scan(files.write_ptychonn(tmp_path / "nn.npz", SCENE))
    write_scan_npz(tmp_path / "out.npz", scan)
    with np.load(tmp_path / "out.npz") as arrays:
        assert np.array_equal(arrays["diffraction"], SCENE.counts)
        assert arrays["diffraction"].dtype == SCENE.counts.dtype
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
