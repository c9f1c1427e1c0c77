"""What does a first comparison of reconstructions alone say, of a scan that tells little?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.scans import scan_arrays, write_reconstruction, write_scan
from tests.studies import ptyrun


def test_it_says_what_was_compared_and_what_could_not_be_checked(tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.npz", probeGuess=None, objectGuess=None)
    words = ["compare", "--test-data", str(scan), "--output-dir", str(tmp_path / "run")]
    for name, seed in (("first", 3), ("second", 4)):
        path = write_reconstruction(tmp_path / f"{name}.npz", seed)
        words += ["--arm", f"name={name},reconstruction={path}"]
    process = ptyrun(*words)
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("complete: 2 reconstructions compared\n")
    both = "PtyChi (first), PtyChi (second)"
    unchecked = f"NOT CHECKED whether {both} belong to this scan: there is no probe"
    assert process.stderr.count(unchecked) == 1
    assert (
        "n/a for PtyChi (first): standard r_factor, fourier_error: there is no probe"
        in process.stdout
    )
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert any(unchecked in doubt for doubt in results["doubts"])
    assert "nothing to measure pixels against" in results["resampling"]["why_none"]
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert unchecked in page
    assert f"{both} cannot be told (there is no probe)" in page
    again = ptyrun(*words)
    assert "nothing was left to compute" in again.stdout


def test_counts_are_no_matter_without_networks_and_a_preview_promises_what_follows(
    tmp_path: Path,
) -> None:
    counts = np.rint(2e3 * scan_arrays()["diffraction"] ** 2).astype(np.uint32)
    scan = write_scan(tmp_path / "scan.npz", diffraction=counts, objectGuess=None)
    words = ["plan", "--test-data", str(scan), "--output-dir", str(tmp_path / "run")]
    for name, seed in (("first", 3), ("second", 4)):
        path = write_reconstruction(tmp_path / f"{name}.npz", seed)
        words += ["--arm", f"name={name},reconstruction={path}"]
    planned = ptyrun(*words)
    assert planned.returncode == 0, planned.stderr
    assert "not normalised" not in planned.stderr
    shown = ptyrun("preview", str(tmp_path / "run"))
    assert "compared with the other arms by finalize" in shown.stdout
    assert "nothing to measure against" not in shown.stdout
    assert ptyrun("finalize", str(tmp_path / "run")).returncode == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    mean = counts.sum(axis=(1, 2)).mean()
    assert results["counts_per_frame"] == pytest.approx(mean, rel=0.2)
    assert ptyrun("report", str(tmp_path / "run")).returncode == 0
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "<dt>Mean counts of a frame</dt>" in page
