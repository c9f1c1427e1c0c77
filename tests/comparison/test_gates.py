from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ptyrun.comparison.gates import Hole, block, require_coverage, require_metrics
from ptyrun.errors import BlockedError
from ptyrun.paths import RunPaths
from ptyrun.results import ArmResult, Metric

CENTRES = np.moveaxis(np.mgrid[10:90:4, 10:90:4], 0, -1).reshape(-1, 2).astype(float)


def hole(silent: slice, crop_px: int = 8) -> Hole:
    carries = np.ones(len(CENTRES), bool)
    carries[silent] = False
    return Hole.left_by(carries, CENTRES, (100, 100), crop_px)


def test_a_silent_patch_among_neighbours_that_cover_it_is_no_hole() -> None:
    found = hole(slice(30, 31), crop_px=12)
    require_coverage("pinn", found)
    assert (found.silent, found.missing_px) == (1, 0)
    assert found.note == "1 of 400 patches are all zero and leave 0 of 7744 expected pixels empty"


def test_a_hole_is_named_by_its_place_and_size() -> None:
    found = hole(slice(0, 40))
    assert (found.missing_px, found.promised_px) == (8 * 84, 84 * 84)
    with pytest.raises(BlockedError, match="coverage-hole") as caught:
        require_coverage("pinn", found)
    assert "40 of 400 patches" in caught.value.why
    assert "rows 6..13, columns 6..89" in caught.value.why


def test_an_object_without_silent_patches_needs_no_note() -> None:
    found = hole(slice(0, 0))
    require_coverage("pinn", found)
    assert found.note is None


def row(**amplitudes: float) -> ArmResult:
    metrics = {name: Metric(amplitude=value, phase=0.5) for name, value in amplitudes.items()}
    return ArmResult("PtychoPINN", "predictor", 4, metrics=metrics)


def test_a_row_of_metrics_counts_if_its_errors_are_numbers() -> None:
    # Identical images have an infinite psnr, small ones no ms_ssim.
    require_metrics("pinn", row(mae=0.0, mse=0.0, psnr=math.inf, ms_ssim=math.nan))


@pytest.mark.parametrize("empty", [row(), row(mae=0.1), row(mae=0.1, mse=math.nan)])
def test_a_row_of_metrics_without_errors_is_refused(empty: ArmResult) -> None:
    with pytest.raises(BlockedError, match="empty-metrics") as caught:
        require_metrics("pinn", empty)
    assert "mse of the amplitude is" in caught.value.why


@pytest.mark.parametrize(
    ("program", "given"),
    [
        ("/venv/lib/python/ptyrun/__main__.py", "ptyrun"),
        ("/venv/bin/ptyrun", "ptyrun"),
        ("study.py", "study.py"),
        ("/venv/lib/python/other/__main__.py", "/venv/lib/python/other/__main__.py"),
    ],
)
def test_a_blocker_names_the_command_as_a_person_gives_it(
    program: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [program, "compare", "--pinn_dir", "my model"])
    block(RunPaths(tmp_path), BlockedError("x: y", why="z", do="w"), "ptyrun run")
    (blocker,) = (tmp_path / "blocked").iterdir()
    assert f"\n{given} compare --pinn_dir 'my model'\n" in blocker.read_text()
