"""What a run takes on its disk, and a disk that cannot hold it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.comparison.extent import Extent, NoRoomError, outlook, require_room
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.paths import RunPaths


def planned(folder: Path) -> Manifest:
    return Manifest.load(RunPaths(folder).manifest)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_finished_run_takes_no_more_than_was_estimated_and_patches_just_that(
    complete_run: Path,
) -> None:
    extent = Extent.of(planned(complete_run), (96, 90))
    patches = [
        path.stat().st_size
        for arm in ("pinn", "baseline")
        for path in (complete_run / f"arrays.zarr/{arm}/patches").glob("c.*")
    ]
    assert sum(patches) - 4 * len(patches) == extent.arrays
    assert size_of(complete_run) < extent.total


def test_a_disk_that_cannot_hold_a_run_is_refused_with_what_is_needed_and_free(
    complete_run: Path, tmp_path: Path
) -> None:
    manifest = planned(complete_run)
    free = shutil.disk_usage(tmp_path).free
    pinn = manifest.arms[0]
    bytes_per_group = 8 * pinn.item_shape[0] * pinn.item_shape[1]
    n_items = 3 * free // bytes_per_group
    huge = replace(manifest, arms=(replace(pinn, n_items=n_items, chunk_items=1000),))
    with pytest.raises(NoRoomError, match=r"takes about \d+ [GT]iB.* \d+ [MGT]iB are free"):
        require_room(RunPaths(tmp_path), huge, (96, 90), is_fresh=True)
    assert NoRoomError.exit_code == 2


def test_what_is_there_already_is_not_needed_once_more(complete_run: Path) -> None:
    paths, manifest = RunPaths(complete_run), planned(complete_run)
    said = require_room(paths, manifest, (4000, 4000), is_fresh=False)
    assert said.startswith("on disk: about ")
    assert said.endswith("are free")


def test_the_outlook_is_silent_where_nothing_is_left_or_known(complete_run: Path) -> None:
    manifest = planned(complete_run)
    paths = RunPaths(complete_run)
    assert outlook(open_ledger(paths, manifest).progress, 10.0) is None


def test_the_outlook_names_time_and_windows(half_run: Path) -> None:
    progress = open_ledger(RunPaths(half_run), planned(half_run)).progress
    assert outlook(progress, 10.0) is None  # nothing is known of the second arm
    for arm in progress.arms.values():
        arm.costs.extend(progress.arms["pinn"].costs)
    said = outlook(progress, 10.0)
    assert said is not None
    assert "left to compute: about " in said
