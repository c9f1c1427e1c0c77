"""Any number of arms, with and without ground truth; arms that do not belong are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.scans import scan_arrays, small_object, write_reconstruction, write_scan
from tests.studies import Study, ptyrun


def results(run_dir: Path) -> dict[str, Any]:
    found = json.loads((run_dir / "results.json").read_text())
    assert isinstance(found, dict)
    return found


def test_a_fourth_arm_is_compared_like_the_others(study: Study, tmp_path: Path) -> None:
    more = f"--arm=name=second,path={study.baseline},chunk=all,batch=8,label=Second"
    process = ptyrun(*study.words(tmp_path / "run", more, "--trust-model=second"))
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
    assert "standard_*" not in process.stdout, "there are none to explain"


def foreign(path: Path) -> Path:
    """Write a reconstruction of something else."""
    noise = np.random.default_rng(1).normal(size=small_object().shape)
    image = np.exp(1j * gaussian_filter(noise, 3) * 8).astype(np.complex64)
    np.savez(path, reconstructed_object=image, algorithm="tike")
    return path


@pytest.mark.parametrize("belongs", [True, False])
def test_a_reconstruction_of_something_else_is_named_loudly(
    belongs: bool, study: Study, tmp_path: Path
) -> None:
    other = study.reconstruction
    if not belongs:
        other = foreign(tmp_path / "other.npz")
    words = [w for w in study.words(tmp_path / "run") if "tike_recon" not in w]
    process = ptyrun(*words, f"--tike_recon_path={other}")
    assert process.returncode == 0, process.stderr
    arm = results(tmp_path / "run")["arms"]["reconstruction"]
    assert (arm["mismatch"] is None) == belongs
    assert ("DOES NOT BELONG TO THIS SCAN" in process.stdout) != belongs
    assert ("does not belong to this scan" in process.stderr) != belongs
    assert process.stderr.count("it does not explain the measured frames") <= 1
    assert process.stdout.count("it does not explain the measured frames") <= 1
    assert arm["label"] == ("PtyChi" if belongs else "Tike")


@pytest.mark.parametrize("has_truth", [True, False])
@pytest.mark.parametrize("word", ["--verbose", "--quiet"])
def test_what_does_not_belong_is_named_before_the_work_and_after_it(
    word: str, has_truth: bool, study: Study, tmp_path: Path
) -> None:
    scan = study.scan if has_truth else write_scan(tmp_path / "scan.npz", objectGuess=None)
    other = foreign(tmp_path / "other.npz")
    words = [
        f"--test_data={scan}",
        f"--tike_recon_path={other}",
        f"--output_dir={tmp_path / 'run'}",
        "--no-vector-plots",
    ]
    planned = ptyrun("plan", *words, word)
    assert f"WARNING: {other} does not belong to this scan" in planned.stderr
    done = ptyrun("compare", *words, word)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("does not belong to this scan") == 1
    assert "explain" in results(tmp_path / "run")["arms"]["reconstruction"]["mismatch"]
    assert "does not belong" in log_text(tmp_path / "run")
    assert "explain" in (tmp_path / "run/report/report.md").read_text()


def test_a_scan_whose_coordinates_are_exchanged_is_doubted_before_and_after(tmp_path: Path) -> None:
    arrays = scan_arrays()
    y, x = arrays["xcoords"], arrays["ycoords"]
    scan = write_scan(tmp_path / "scan.npz", xcoords=x, ycoords=y)
    other = write_reconstruction(tmp_path / "recon.npz")
    words = [
        f"--test_data={scan}",
        f"--tike_recon_path={other}",
        f"--output_dir={tmp_path / 'run'}",
        "--no-vector-plots",
    ]
    done = ptyrun("compare", *words, "--quiet")
    assert done.returncode == 0, done.stderr
    said = "objectGuess explains the frames better with x and y of the positions swapped"
    assert (done.stderr + done.stdout).count("x and y of the positions swapped") == 1
    assert said in done.stderr
    assert any(said in note for note in results(tmp_path / "run")["notes"])
    assert said in (tmp_path / "run/report/report.md").read_text()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda a: {"diffraction": a["diffraction"][::-1]}, "frames do not belong to their posit"),
        (lambda a: {"diffraction": a["diffraction"] ** 2}, "use --diffraction-kind intensity"),
        (
            lambda a: {"objectGuess": np.roll(a["objectGuess"], (13, 31), (0, 1))},
            "does not explain the frames",
        ),
        (
            lambda a: {"diffraction": a["diffraction"].transpose(0, 2, 1)},
            "explains the frames better with each frame transposed",
        ),
        (
            lambda a: {k: a[k] - a[k].mean() for k in ("xcoords", "ycoords")},
            "of 60 frames lie wholly inside objectGuess (96 x 90 px)",
        ),
        (lambda _: {}, None),
    ],
    ids=["another order", "intensity", "rolled", "transposed", "centred", "as it should be"],
)
def test_a_scan_whose_frames_its_object_contradicts_is_doubted(
    changed: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
    said: str | None,
    tmp_path: Path,
) -> None:
    scan = write_scan(tmp_path / "scan.npz", **changed(scan_arrays()))
    other = write_reconstruction(tmp_path / "recon.npz")
    run_dir = tmp_path / "run"
    words = [
        f"--test_data={scan}",
        f"--tike_recon_path={other}",
        f"--output_dir={run_dir}",
        "--no-vector-plots",
    ]
    done = ptyrun("compare", *words, "--quiet")
    assert done.returncode == 0, done.stderr
    if said is None:
        assert "WARNING" not in done.stderr
    else:
        assert f"WARNING: {scan}: " in done.stderr
        assert said in done.stderr
        assert any(said in note for note in results(run_dir)["notes"])


def log_text(run_dir: Path) -> str:
    return "".join(path.read_text() for path in (run_dir / "logs").glob("session-*.jsonl"))


def test_skipping_registration_makes_no_arm_foreign(study: Study, tmp_path: Path) -> None:
    moved = tmp_path / "moved.npz"
    image = np.roll(small_object(), (2, -3), axis=(0, 1))
    np.savez(moved, reconstructed_object=image, algorithm="LSQML")
    words = [f"--test_data={study.scan}", f"--tike_recon_path={moved}", "--skip-registration"]
    done = ptyrun("compare", *words, f"--output_dir={tmp_path / 'run'}", "--no-vector-plots")
    assert done.returncode == 0, done.stderr
    assert results(tmp_path / "run")["arms"]["reconstruction"]["mismatch"] is None


@pytest.mark.parametrize(
    ("words", "is_said"),
    [("gridsize=1", True), ("gridsize=1,batch=2,label=Other", True), ("gridsize=2", False)],
)
def test_two_arms_of_one_model_are_named_once_before_the_work(
    words: str, is_said: bool, study: Study, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.ts"  # a file without a card, which takes any gridsize
    copy.write_bytes((study.baseline / "model.ts").read_bytes())
    arms = [f"--baseline_dir={study.baseline}", f"--arm=name=two,path={copy},{words}"]
    arms += ["--trust-model=baseline", "--trust-model=two"]
    done = ptyrun(
        "plan",
        f"--test_data={study.scan}",
        f"--output_dir={tmp_path / 'run'}",
        "--no-vector-plots",
        *arms,
    )
    assert done.returncode == 0, done.stderr
    said = "WARNING: the arms baseline and two are the same model"
    assert done.stderr.count(said) == int(is_said)


def test_two_arms_of_one_algorithm_can_be_told_apart(study: Study, tmp_path: Path) -> None:
    words = study.words(tmp_path / "run", f"--arm=name=again,reconstruction={study.reconstruction}")
    assert ptyrun(*words).returncode == 0
    labels = [arm["label"] for arm in results(tmp_path / "run")["arms"].values()]
    assert labels == ["PtyChi (again)", "Baseline", "PtychoPINN", "PtyChi"]


def test_arms_of_ones_own_and_of_one_algorithm_are_all_called_by_their_names(
    study: Study, tmp_path: Path
) -> None:
    arms = [f"--arm=name={name},reconstruction={study.reconstruction}" for name in ("one", "two")]
    words = [f"--test_data={study.scan}", f"--output_dir={tmp_path / 'run'}", *arms]
    assert ptyrun("plan", *words).returncode == 0
    planned = json.loads((tmp_path / "run/manifest.json").read_text())
    assert [arm["label"] for arm in planned["arms"]] == ["PtyChi (one)", "PtyChi (two)"]


def test_an_arm_whose_file_names_no_algorithm_is_called_by_its_own_name(
    study: Study, tmp_path: Path
) -> None:
    image = np.load(study.reconstruction)["reconstructed_object"]
    np.savez(tmp_path / "plain.npz", reconstructed_object=image)
    words = [f"--arm=name=mine,reconstruction={tmp_path / 'plain.npz'}", "--no-vector-plots"]
    words += [f"--test_data={study.scan}", f"--output_dir={tmp_path / 'run'}"]
    assert ptyrun("compare", *words).returncode == 0
    assert results(tmp_path / "run")["arms"]["mine"]["label"] == "mine"
