"""Does a scan that is printed say what it is?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ptyrun.ptycho.readers.opening import open_scan
from tests.scans import write_scan


def test_a_scan_says_what_it_is_without_its_arrays(tmp_path: Path) -> None:
    path = write_scan(tmp_path / "scan.npz")
    scan = open_scan(path)
    assert repr(scan) == (
        f"<Scan {path}: {scan.n_frames} frames of 32 x 32 px, amplitudes, 1 mode of a probe, "
        "reference of 96 x 90 px, read as contract>"
    )
    bare = replace(scan, probe=None, object_guess=None, intensity=True, reader="")
    assert repr(bare).endswith("32 x 32 px, intensities, no probe, no object>")
