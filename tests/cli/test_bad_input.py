"""Bad input is named before any work, with exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ptyrun.cli.main import cli
from tests.scans import scan_arrays, write_network, write_scan
from tests.studies import Study


def nan_diffraction() -> np.ndarray:
    frames = scan_arrays()["diffraction"].copy()
    frames[5, 3, 3] = np.nan
    return frames


SCANS: dict[str, tuple[Callable[[], dict[str, np.ndarray | None]], str]] = {
    "key missing": (lambda: {"xcoords": None}, "xcoords"),
    "no diffraction": (lambda: {"diffraction": None}, "diffraction"),
    "wrong shape": (lambda: {"diffraction": np.ones((60, 32), np.float32)}, "diffraction"),
    "wrong dtype": (lambda: {"diffraction": np.full((60, 32, 32), "x")}, "diffraction"),
    "NaN": (lambda: {"diffraction": nan_diffraction()}, "frame 5"),
    "negative": (lambda: {"diffraction": -scan_arrays()["diffraction"]}, "frame 0"),
    "unequal lengths": (lambda: {"xcoords": np.ones(59)}, "lengths"),
    "too few positions": (
        lambda: {k: v[:4] for k, v in scan_arrays().items() if k[0] in "dxy"},
        "too few",
    ),
}


@pytest.mark.parametrize("case", SCANS)
def test_a_scan_that_cannot_be_used_is_named(case: str, study: Study, tmp_path: Path) -> None:
    make, named = SCANS[case]
    bad = write_scan(tmp_path / "bad.npz", **make())
    words = [w for w in study.words(tmp_path / "run") if "test_data" not in w]
    assert_refused([*words, f"--test_data={bad}"], named, tmp_path / "run")


def test_a_missing_file_is_named(study: Study, tmp_path: Path) -> None:
    words = [w for w in study.words(tmp_path / "run") if "test_data" not in w]
    assert_refused([*words, "--test_data=/nowhere/scan.npz"], "/nowhere/scan.npz", tmp_path / "run")


def test_a_folder_without_a_model_is_named(study: Study, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = [w for w in study.words(tmp_path / "run") if "pinn_dir" not in w]
    assert_refused([*words, f"--pinn_dir={empty}"], "no model", tmp_path / "run")


def test_a_model_for_another_channel_count_is_named(study: Study, tmp_path: Path) -> None:
    other = write_network(tmp_path / "other", gridsize=1)
    more = f"--arm=name=other,path={other},gridsize=2"
    assert_refused([*study.words(tmp_path / "run"), more], "channel", tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--window=0"], "duration"),
        (["--stitch-crop-size=34"], "crop"),
        (["--stitch-crop-size=7"], "even"),
        (["--pinn-chunk-size=0"], "chunk"),
        (["--arm=name=index,path=x"], "index"),
        (["--arm=name=x"], "path"),
        (["--neighbor-count=3"], "neighbor"),
        (["--skip-registration", "--register-ptychi-only"], "contradict"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(
    words: list[str], named: str, study: Study, tmp_path: Path
) -> None:
    assert_refused([*study.words(tmp_path / "run"), *words], named, tmp_path / "run")


def test_an_output_folder_that_cannot_be_made_is_named(study: Study, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    assert_refused(study.words(blocker / "run"), "cannot be written", blocker / "run")


def assert_refused(words: list[str], named: str, run_dir: Path) -> None:
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2, result.stderr
    assert named.lower() in result.stderr.lower()
    assert isinstance(result.exception, SystemExit)
    assert not (run_dir / "ledger").exists()
