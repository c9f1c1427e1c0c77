"""Files given with the wrong option, and keys typed wrong, are named as that before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_bad_input import assert_refused
from tests.studies import Study


@pytest.mark.parametrize(
    ("arm", "named"),
    [
        ("nmae=other,path=x", "'nmae' is not a key; did you mean 'name'?"),
        ("name=other,paht=x", "'paht' is not a key; did you mean 'path'?"),
        ("name=other,reconstrcution=x", "did you mean 'reconstruction'?"),
        ("name=other,reconstruction=x,lable=Tike", "did you mean 'label'?"),
    ],
)
def test_a_key_of_an_arm_that_is_typed_wrong_is_named_with_the_one_that_is_meant(
    arm: str, named: str, study: Study, tmp_path: Path
) -> None:
    words = [*study.words(tmp_path / "run"), f"--arm={arm}"]
    assert_refused(words, named, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_exchanged_models_are_named_as_that(study: Study, tmp_path: Path) -> None:
    words = [*study.words(tmp_path / "run"), f"--pinn_dir={study.baseline}"]
    words.append(f"--baseline_dir={study.pinn}")
    assert_refused(words, "--pinn-dir and --baseline-dir are swapped", tmp_path / "run")
    assert_refused(words, "gridsize 1, the Baseline's 2", tmp_path / "run")


def test_an_exchanged_scan_and_reconstruction_are_named_as_that(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    swapped = [f"--test_data={study.reconstruction}", f"--tike_recon_path={study.scan}"]
    words = [*study.words(run_dir), *swapped]
    assert_refused(words, "--test-data is a finished reconstruction", run_dir)
    assert_refused(words, f"{study.scan} is a scan: they are swapped", run_dir)
    assert_refused(["plan", *words[1:], "--dry-run"], "swapped", run_dir)


def test_a_scan_given_as_a_reconstruction_is_named_as_that(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    words = [*study.words(run_dir), f"--tike_recon_path={study.scan}"]
    assert_refused(words, "the reconstruction of arm 'reconstruction' is a scan", run_dir)
    more = f"--arm=name=tike,reconstruction={study.scan}"
    assert_refused([*study.words(run_dir), more], "arm 'tike' is a scan", run_dir)


def test_a_reconstruction_given_as_the_scan_is_named_as_that(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    words = [*study.words(run_dir), f"--test_data={study.reconstruction}"]
    assert_refused(words, "--test-data is a finished reconstruction", run_dir)
