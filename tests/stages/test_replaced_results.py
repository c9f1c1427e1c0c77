"""Results are published only where the plan that they belong to still stands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.engine import ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import ReplacedError
from ptyrun.paths import RunPaths
from ptyrun.progress import Silent
from ptyrun.results import Results
from ptyrun.stages import finalize


class At(Silent):
    """Does something at the moment at which the files of the results begin to be written."""

    def __init__(self, does: Callable[[], None]) -> None:
        self._does = does

    def note(self, text: str) -> None:
        if "writing objects" in text:
            self._does()


def other_results(folder: Path) -> Manifest:
    """What ``--invalidate results`` makes of a plan."""
    planned = Manifest.load(RunPaths(folder).manifest)
    return replace(planned, shared={**planned.shared, "frc_sigma": 2.0})


def in_place(folder: Path) -> None:
    paths, manifest = RunPaths(folder), other_results(folder)
    ledger.supersede(paths, Manifest.load(paths.manifest))
    manifest.save(paths.manifest)


def afresh(folder: Path) -> None:
    manifest = other_results(folder)
    folder.rename(folder.with_name("aside"))
    folder.mkdir()
    manifest.save(RunPaths(folder).manifest)


@pytest.mark.parametrize("replace_plan", [in_place, afresh])
def test_no_result_of_a_replaced_plan_is_published(
    replace_plan: Callable[[Path], None], complete_run: Path, tmp_path: Path
) -> None:
    run_dir = Path(shutil.copytree(complete_run, tmp_path / "run"))
    before = (run_dir / "results.json").read_bytes()
    with pytest.raises(ReplacedError):
        finalize.finalize(run_dir, force=True, watcher=At(lambda: replace_plan(run_dir)))
    if replace_plan is afresh:
        assert not (run_dir / "results.json").exists()
        return
    assert (run_dir / "results.json").read_bytes() == before
    made = finalize.finalize(run_dir)
    assert made.manifest_digest == Manifest.load(RunPaths(run_dir).manifest).digest
    assert Results.load(RunPaths(run_dir).results).to_json() == made.to_json()
    assert not (run_dir / "unpublished").exists()
