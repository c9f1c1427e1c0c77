"""What a run takes on its disk, and a disk that cannot hold it."""

from __future__ import annotations

import shutil
import tempfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.comparison.extent import Extent, NoRoomError, outlook, require_room
from ptyrun.config import Compression
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.paths import RunPaths
from tests.scans import write_reconstruction, write_scan
from tests.studies import ptyrun


def planned(folder: Path) -> Manifest:
    return Manifest.load(RunPaths(folder).manifest)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_finished_run_takes_more_than_the_least_and_patches_just_what_was_estimated(
    complete_run: Path,
) -> None:
    extent = Extent.of(planned(complete_run), (96, 90))
    patches = [
        path.stat().st_size
        for arm in ("pinn", "baseline")
        for path in (complete_run / f"arrays.zarr/{arm}/patches").glob("c.*")
    ]
    assert sum(patches) - 4 * len(patches) == extent.arrays
    assert extent.least < size_of(complete_run)


def test_a_disk_that_cannot_hold_a_run_is_refused_with_what_is_needed_and_free(
    complete_run: Path, tmp_path: Path
) -> None:
    manifest = planned(complete_run)
    with pytest.raises(NoRoomError, match=r"at least \d+ [GT]iB.* \d+ [MGT]iB are free"):
        require_room(RunPaths(tmp_path), larger_than_the_disk(manifest), (96, 90), is_fresh=True)
    assert NoRoomError.exit_code == 2


def test_the_estimate_is_what_a_run_takes(tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.npz")
    recon = write_reconstruction(tmp_path / "recon.npz")
    done = ptyrun(
        *("compare", f"--test_data={scan}", f"--tike_recon_path={recon}"),
        f"--output_dir={tmp_path / 'run'}",
    )
    assert done.returncode == 0, done.stderr
    estimated = Extent.of(planned(tmp_path / "run"), (96, 90)).total
    assert 0.83 < estimated / size_of(tmp_path / "run") < 1.2


@pytest.mark.parametrize("compression", list(Compression))
def test_a_disk_that_may_just_hold_a_run_is_not_refused(
    compression: Compression, complete_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = planned(complete_run)
    manifest = replace(manifest, shared={**manifest.shared, "compression": str(compression)})
    extent = Extent.of(manifest, (96, 90))
    assert extent.least < extent.total
    for free, said in ((extent.total, "are free"), (extent.least, "that may not be enough: ")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, n=free: usage(0, 0, n))
        assert said in require_room(RunPaths(tmp_path), manifest, (96, 90), is_fresh=True)
        assert ("may not" in said) == (free < extent.total)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, extent.least - 1))
    with pytest.raises(NoRoomError, match=r"cannot hold this run\n.* are free: 1 B too few\n"):
        require_room(RunPaths(tmp_path), manifest, (96, 90), is_fresh=True)


usage = namedtuple("usage", "total used free")


def test_what_is_there_already_is_not_needed_once_more(complete_run: Path, tmp_path: Path) -> None:
    manifest = larger_than_the_disk(planned(complete_run))
    paths = RunPaths(tmp_path)
    paths.arrays.mkdir()
    with (paths.arrays / "c.0.0.0").open("wb") as chunk:
        chunk.truncate(Extent.of(manifest, (96, 90)).total)  # says its size, and takes no room
    said = require_room(paths, manifest, (96, 90), is_fresh=False)
    assert "of them there already; " in said
    with pytest.raises(NoRoomError):
        require_room(paths, manifest, (96, 90), is_fresh=True)


def larger_than_the_disk(manifest: Manifest) -> Manifest:
    """Give its plan with so many groups that their patches take three times what is free."""
    pinn = manifest.arms[0]
    bytes_per_group = 8 * pinn.item_shape[0] * pinn.item_shape[1]
    n_items = 3 * shutil.disk_usage(tempfile.gettempdir()).free // bytes_per_group
    return replace(manifest, arms=(replace(pinn, n_items=n_items, chunk_items=1000),))


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
