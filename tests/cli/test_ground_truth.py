"""A truth is only a truth where the scan or a person says so; anything else is a reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.comparison.ground_truth import with_truth
from ptyrun.errors import InputError
from ptyrun.ptycho.readers.opening import open_scan
from tests.scans import scan_arrays, small_object, write_reconstruction, write_scan
from tests.studies import Finished, ptyrun

HALVES = ("even", "odd")
TRUTH, REFERENCE = "one noisy image against a noise-free one", "two noisy images"


def simulated() -> np.ndarray[Any, Any]:
    about = {"additional_parameters": {"simulation_type": "coordinate_based"}}
    return np.array(json.dumps(about))


def compared(folder: Path, scan: Path, *more: str) -> Finished:
    arms = [
        f"--arm=name={name},reconstruction={write_reconstruction(folder / f'{name}.npz', seed)}"
        for seed, name in enumerate(("even", "odd"))
    ]
    run = f"--output_dir={folder / 'run'}"
    return ptyrun("compare", f"--test_data={scan}", *arms, run, *more)


def results(folder: Path) -> Any:
    return json.loads((folder / "run" / "results.json").read_text())


def test_the_object_of_a_measured_scan_is_a_reference_and_as_noisy_as_an_arm(
    tmp_path: Path,
) -> None:
    done = compared(tmp_path, write_scan(tmp_path / "scan.npz"))
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    assert (found["has_ground_truth"], found["has_reference"]) == (False, True)
    assert {arm["frc_thresholds"] for arm in found["arms"].values()} == {REFERENCE}
    assert [pair["frc_thresholds"] for pair in found["pairs"]] == [REFERENCE]
    assert any("objectGuess is a reference" in note for note in found["notes"])
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "Reference" in page
    assert "Ground truth" not in page


def test_the_object_of_a_simulated_scan_is_the_ground_truth(tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.npz", _metadata=simulated())
    assert compared(tmp_path, scan).returncode == 0
    found = results(tmp_path)
    assert (found["has_ground_truth"], found["has_reference"]) == (True, False)
    assert {arm["frc_thresholds"] for arm in found["arms"].values()} == {TRUTH}
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "Ground truth" in page


@pytest.mark.slow
def test_what_is_said_of_the_truth_counts_and_changes_with_the_results_alone(
    tmp_path: Path,
) -> None:
    scan = write_scan(tmp_path / "scan.npz")
    assert compared(tmp_path, scan, "--ground-truth", "objectGuess").returncode == 0
    assert results(tmp_path)["has_ground_truth"]
    refused = compared(tmp_path, scan, "--ground-truth", "none")
    assert refused.returncode != 0 and "--invalidate results" in refused.stderr
    accepted = compared(tmp_path, scan, "--ground-truth=none", "--invalidate", "results")
    assert accepted.returncode == 0, accepted.stderr
    found = results(tmp_path)
    assert (found["has_ground_truth"], found["has_reference"]) == (False, True)
    repeated = ptyrun("compare", f"--config={tmp_path / 'run' / 'config.toml'}")
    assert repeated.returncode == 0, repeated.stderr


def test_the_truth_may_be_a_file_of_its_own(tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.npz", objectGuess=None)
    truth = tmp_path / "truth.npz"
    np.savez(truth, reconstructed_object=small_object())
    done = compared(tmp_path, scan, f"--ground-truth={truth}")
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    assert found["has_ground_truth"]
    for arm in found["arms"].values():
        assert arm["frc_thresholds"] == TRUTH
        assert arm["standard"]["coherence"]["value"] > 0.98
    assert f"--ground-truth {truth}" in (tmp_path / "run" / "report" / "report.md").read_text()
    np.savez(truth, reconstructed_object=small_object() * 1.5)
    assert "ground_truth" in ptyrun("finalize", "--force", str(tmp_path / "run")).stderr


@pytest.mark.parametrize("said", ["objectGuess", "missing.npz"])
def test_a_truth_that_is_not_there_is_refused_by_name(said: str, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.npz", objectGuess=None)
    done = compared(tmp_path, scan, f"--ground-truth={said}")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"additional_parameters": {"simulation_type": "coordinate_based"}}, True),
        ({"creation_info": {"script": "simulate_and_save.py"}}, True),
        ({"simulated": True}, True),
        ({"simulated": False}, False),
        ({"simulation_type": ""}, False),
        ({"additional_parameters": {"beamline": "id10"}}, False),
        ({"data_transformations": [{"tool": "transpose"}]}, False),
        ([], False),
    ],
)
def test_a_scan_says_by_its_metadata_that_it_was_simulated(
    about: Any, expected: bool, tmp_path: Path
) -> None:
    path = write_scan(tmp_path / "scan.npz", _metadata=np.array(json.dumps(about)))
    scan = open_scan(path)
    assert scan.object_guess is not None
    assert scan.object_is_truth is expected
    assert "_metadata" not in scan_arrays(), "the case shows nothing"


@pytest.mark.slow
def test_split_halves_give_the_resolution_of_a_measured_scan_as_it_is(
    shared: Path, tmp_path: Path
) -> None:
    data = shared / "data"
    halves = {half: data / f"siemens_ptychi_lsqml_3mode_50ep_half_{half}.npz" for half in HALVES}
    done = ptyrun(
        "compare",
        f"--test_data={data / 'siemens_star_contract_norm.npz'}",
        *(f"--arm=name={half},reconstruction={path}" for half, path in halves.items()),
        f"--output_dir={tmp_path / 'run'}",
    )
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    assert found["has_reference"]
    (pair,) = found["pairs"]
    assert pair["standard"]["frc50"]["value"] == pytest.approx(0.370, abs=0.01)
    assert pair["standard"]["frc_half_bit"]["value"] == pytest.approx(0.446, abs=0.01)


def test_a_truth_that_is_stored_transposed_is_named_by_its_file_and_no_arm_is_blamed(
    tmp_path: Path,
) -> None:
    scan = write_scan(tmp_path / "scan.npz", objectGuess=None)
    given = tmp_path / "transposed.npz"
    np.savez(given, objectGuess=small_object(96, 90).T)
    done = compared(tmp_path, scan, f"--ground-truth={given}", "--no-vector-plots")
    assert done.returncode == 0, done.stderr
    assert "the ground truth transposed.npz explains the frames better" in done.stderr
    assert "with the object transposed" in done.stderr
    assert "objectGuess explains" not in done.stderr
    assert "does not belong" not in done.stderr
    assert not any(arm.get("mismatch") for arm in results(tmp_path)["arms"].values())


def test_a_file_that_is_not_there_may_be_meant_as_the_scans_object(tmp_path: Path) -> None:
    scan = open_scan(write_scan(tmp_path / "scan.npz"))
    with pytest.raises(InputError, match=r"object cannot be opened\n.*\n.*objectGuess, spelt so"):
        with_truth(scan, tmp_path / "object")
