"""Any number of arms, with and without ground truth; arms that do not belong are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.scans import small_object, write_scan
from tests.studies import Study, ptyrun


def results(run_dir: Path) -> dict[str, object]:
    found = json.loads((run_dir / "results.json").read_text())
    assert isinstance(found, dict)
    return found


def test_a_fourth_arm_is_compared_like_the_others(study: Study, tmp_path: Path) -> None:
    more = f"--arm=name=second,path={study.baseline},chunk=all,batch=8,label=Second"
    process = ptyrun(*study.words(tmp_path / "run", more))
    assert process.returncode == 0, process.stderr
    arms = results(tmp_path / "run")["arms"]
    assert list(arms) == ["baseline", "pinn", "reconstruction", "second"]
    assert arms["second"]["metrics"]["mae"] == arms["baseline"]["metrics"]["mae"]


def test_without_ground_truth_the_arms_are_compared_with_each_other(
    study: Study, tmp_path: Path
) -> None:
    scan = write_scan(tmp_path / "scan.npz", objectGuess=None)
    words = [w for w in study.words(tmp_path / "run") if "test_data" not in w]
    process = ptyrun(*words, f"--test_data={scan}")
    assert process.returncode == 0, process.stderr
    found = results(tmp_path / "run")
    assert not found["has_ground_truth"]
    assert len(found["pairs"]) == 3
    assert "against" in process.stdout


@pytest.mark.parametrize("belongs", [True, False])
def test_a_reconstruction_of_something_else_is_named_loudly(
    belongs: bool, study: Study, tmp_path: Path
) -> None:
    other = study.reconstruction
    if not belongs:
        other = tmp_path / "other.npz"
        noise = np.random.default_rng(1).normal(size=small_object().shape)
        image = np.exp(1j * gaussian_filter(noise, 3) * 8).astype(np.complex64)
        np.savez(other, reconstructed_object=image, algorithm="tike")
    words = [w for w in study.words(tmp_path / "run") if "tike_recon" not in w]
    process = ptyrun(*words, f"--tike_recon_path={other}")
    assert process.returncode == 0, process.stderr
    arm = results(tmp_path / "run")["arms"]["reconstruction"]
    assert (arm["mismatch"] is None) == belongs
    assert ("WARNING" in process.stdout) != belongs
    assert arm["label"] == ("PtyChi" if belongs else "Tike")
