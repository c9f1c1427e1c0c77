from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from PIL import Image

from ptyrun.comparison import leftovers, publishing
from ptyrun.comparison.live_page import Reload
from ptyrun.comparison.partial_scene import PartialArm, partial_scene
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import InputError, UsageError
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from ptyrun.report.views import Quantity
from ptyrun.stages import plan, run
from ptyrun.stages.preview import PreviewFiles, preview
from tests.engine.children import KILLED, die_at_changes, spawn
from tests.studies import TRUST, TRUSTED, Study


def document(files: PreviewFiles) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files.json.read_text())
    return found


OWN = {"preview", "preview.lock"}


def outside_preview(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not OWN.intersection(path.relative_to(folder).parts)
    }


def stamp_pixels(picture: Path) -> int:
    """How many pixels have the colour of the words that mark a partial picture."""
    pixels = np.asarray(Image.open(picture).convert("RGB"), int)
    return int((np.abs(pixels - (163, 22, 15)).max(axis=-1) <= 2).sum())


def chunk_file(folder: Path, arm: str, chunk: int) -> Path:
    return RunPaths(folder).arrays / arm / "patches" / f"c.{chunk}.0.0"


def test_elsewhere_it_leaves_the_run_as_it_is_and_vouches_for_what_it_drew(
    half_run: Path, tmp_path: Path
) -> None:
    def files() -> set[Path]:
        return set(half_run.rglob("*"))

    before, out = files(), tmp_path / "out"
    there = preview(half_run, output=out)
    assert there.json == out / "preview.json"
    assert sorted(path.suffix for path in out.iterdir()) == ["", ".html", ".json", ".png", ".png"]
    assert list(checksums.problems(out)) == []
    assert files() == before
    inside = preview(half_run)
    assert inside.json.read_text() == there.json.read_text()
    for folder in (half_run, half_run / "mine"):
        with pytest.raises(UsageError, match="lies in the run's folder"):
            preview(half_run, output=folder)


def test_before_the_first_chunk_it_says_that_nothing_is_committed(
    study: Study, tmp_path: Path
) -> None:
    plan.plan(study.config(tmp_path / "run"))
    files = preview(tmp_path / "run")
    assert "PtychoPINN: nothing committed yet of 40 groups" in files.message
    assert [path.name for path in files.pictures] == ["reconstruction.png"]
    found = document(files)
    assert found["partial"] is True
    assert (found["arms"]["pinn"]["picture"], found["arms"]["pinn"]["metrics"]) == (None, {})
    assert found["arms"]["reconstruction"]["metrics"]["mae"]["amplitude"] < 0.05


@pytest.mark.pictures
def test_a_partial_arm_is_drawn_measured_and_marked_as_partial(half_run: Path) -> None:
    files = preview(half_run)
    found = document(files)["arms"]["pinn"]
    assert (found["chunks_committed"], found["chunks_total"]) == (4, 6)
    assert (found["groups_committed"], found["groups_total"]) == (28, 40)
    assert found["metrics"]["mae"]["phase"] > 0
    assert files.message.startswith("PARTIAL")
    pinn, reconstruction = files.pictures
    assert stamp_pixels(pinn) > 10 * max(stamp_pixels(reconstruction), 20)


def refreshes(page: Path) -> list[str]:
    return re.findall(r'<meta http-equiv="refresh" content="([^"]*)">', page.read_text())


def test_the_page_of_a_half_done_run_loads_itself_again_while_it_is_watched(
    half_run: Path,
) -> None:
    reload = Reload(7.0)
    files = preview(half_run, reload=reload)
    text = files.page.read_text()
    assert refreshes(files.page) == ["7"]
    assert "PARTIAL: chunks are missing" in text
    assert "28 of 40 groups (70 %)" in text
    assert text.index('class="conclusion of-equals"') < text.index('id="phase-pinn"')
    shown = set(re.findall('id="([^"]*)"', text))
    for row in ("phase", "amplitude"):
        assert {f"{row}-{name}" for name in ("pinn", "reconstruction", "ground-truth")} <= shown
    files.let_stand(reload)
    left = files.page.read_text()
    assert list(checksums.problems(files.page.parent)) == []
    files = preview(half_run)
    assert refreshes(files.page) == [], "nobody writes it again"
    assert left == files.page.read_text(), "as one that is left"


def test_no_figure_of_arms_of_unequal_coverage_is_called_best(half_run: Path) -> None:
    shown = preview(half_run).page.read_text()
    assert 'class="best"' not in shown and "Green and bold" not in shown
    assert "no figure is the best of its row" in shown


def test_the_page_of_a_complete_run_does_not_load_itself_again(
    complete_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(complete_run, folder)
    assert refreshes(preview(folder, reload=Reload(7.0)).page) == []
    waiting = Reload(7.0, waits_for_report=True)
    assert refreshes(preview(folder, reload=waiting).page) == ["7"]
    there = Reload(7.0, is_over=True, leads_to="../report/index.html")
    assert refreshes(preview(folder, reload=there).page) == ["0; url=../report/index.html"]


def test_pictures_are_cut_to_what_is_covered_and_the_reference_is_beside_them() -> None:
    truth = np.exp(1j * np.linspace(0, 1, 80 * 90)).reshape(80, 90).astype(np.complex64)
    covered = np.zeros((80, 90), bool)
    covered[12:50, 30:71] = True
    arm = PartialArm("arm", "Arm", truth * 2j, covered)
    filled = PartialArm("whole", "Whole", truth, np.ones((80, 90), bool), decides=False)
    seen = partial_scene([arm, filled], truth, "Ground truth")
    assert seen is not None
    shown = [view.images[Quantity.PHASE] for view in seen.views]
    assert [view.label for view in seen.views] == ["Arm", "Whole", "Ground truth"]
    for image in shown:
        assert image.shape == (38, 41)
        np.testing.assert_allclose(image, shown[-1], atol=2e-3)
    assert len({id(scale) for scale in seen.scales(Quantity.PHASE)}) == 1
    assert partial_scene([], truth, "") is None
    nothing = PartialArm("arm", "Arm", truth, np.zeros((80, 90), bool))
    assert partial_scene([nothing], truth, "") is None


@pytest.mark.pictures
def test_a_complete_run_covers_what_finalize_covers_and_is_not_stamped(
    complete_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(complete_run, folder)
    files = preview(folder)
    found = document(files)
    assert (files.is_partial, found["partial"]) == (False, False)
    assert all(stamp_pixels(picture) < 20 for picture in files.pictures)
    objects: Any = zarr.open_group(folder / "objects.zarr", mode="r")
    for arm in ("pinn", "baseline"):
        coverage = np.asarray(objects[f"{arm}/coverage"][...])
        assert found["arms"][arm]["covered_px"] == np.count_nonzero(coverage)


def test_the_figures_of_a_complete_run_are_those_of_its_results(
    complete_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(complete_run, folder)
    shown = document(preview(folder))
    results = json.loads((folder / "results.json").read_text())
    assert shown["evaluated_region_px"] == results["evaluated_region_px"]
    for name, arm in results["arms"].items():
        assert shown["arms"][name]["standard"] == arm["own"]["standard"], "each on its own pixels"
        assert shown["arms"][name]["metrics"].items() <= arm["metrics"].items()


def test_nothing_outside_its_folder_is_written(half_run: Path) -> None:
    shutil.rmtree(RunPaths(half_run).cache)
    before = outside_preview(half_run)
    preview(half_run)
    assert outside_preview(half_run) == before


def preview_and_die(folder: Path, survives: int) -> None:
    die_at_changes(folder, itertools.count(survives, -1), torn=False)
    preview(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="dies by /proc and os._exit, on Linux")
def test_one_that_is_killed_anywhere_leaves_the_one_before_or_what_the_next_call_completes(
    half_run: Path,
) -> None:
    preview(half_run)
    paths = RunPaths(half_run)
    deaths = pending = 0
    for point in itertools.count(3, 7):
        child = spawn(preview_and_die, half_run, point)
        child.join()
        assert child.exitcode in (0, KILLED), f"crash point {point}"
        deaths += child.exitcode == KILLED
        if publishing.preview(paths).is_pending:
            pending += 1
            preview(half_run)
        assert list(checksums.problems(paths.preview)) == [], f"crash point {point}"
        assert list(leftovers.damages(paths, unpacked=False)) == [], f"crash point {point}"
        if child.exitcode == 0:
            break
    assert deaths >= 4, "the hook saw too few changes: the test no longer bites"
    assert not paths.unpublished.exists()


@pytest.mark.pictures
def test_a_chunk_on_disk_that_the_ledger_does_not_name_is_not_shown(half_run: Path) -> None:
    files = preview(half_run)
    before = [path.read_bytes() for path in (files.json, *files.pictures)]
    shutil.copy(chunk_file(half_run, "pinn", 0), chunk_file(half_run, "pinn", 4))
    files = preview(half_run)
    assert [path.read_bytes() for path in (files.json, *files.pictures)] == before


def test_a_committed_chunk_that_is_gone_is_named_and_left_out(half_run: Path) -> None:
    covered = document(preview(half_run))["arms"]["pinn"]["covered_px"]
    chunk_file(half_run, "pinn", 1).unlink()
    files = preview(half_run)
    found = document(files)["arms"]["pinn"]
    assert found["chunks_committed"] == 3
    assert found["covered_px"] < covered
    assert "chunks 1; run `ptyrun verify`" in files.message


def test_a_committed_chunk_with_a_flipped_bit_is_named_and_not_drawn(half_run: Path) -> None:
    preview(half_run)
    damaged = chunk_file(half_run, "pinn", 2)
    data = bytearray(damaged.read_bytes())
    data[100] ^= 1
    damaged.write_bytes(data)
    files = preview(half_run)
    assert "PtychoPINN: cannot be shown" in files.message
    assert [path.name for path in files.pictures] == ["reconstruction.png"]
    assert not (files.json.parent / "pinn.png").exists()


def test_a_reconstruction_that_is_gone_does_not_keep_the_other_arms_from_being_shown(
    study: Study, tmp_path: Path
) -> None:
    copied = Study.write(tmp_path / "study")
    plan.plan(copied.config(tmp_path / "run"))
    run.run(tmp_path / "run", TRUSTED)
    copied.reconstruction.unlink()
    files = preview(tmp_path / "run")
    assert [path.stem for path in files.pictures] == ["pinn", "baseline"]
    assert "PtyChi: cannot be shown" in files.message


def test_a_folder_without_a_run_is_refused_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a planned run"):
        preview(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_looking_while_a_writer_works_leaves_the_same_patches(
    study: Study, complete_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    planned = plan.plan(study.config(folder)).manifest
    writer = subprocess.Popen(
        [sys.executable, "-m", "ptyrun", "run", str(folder), *TRUST],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    looks = 0
    while writer.poll() is None:
        preview(folder)
        looks += 1
        time.sleep(0.5)
    assert (writer.returncode, looks > 0) == (0, True)
    assert Manifest.load(RunPaths(folder).manifest).digest == planned.digest
    progress = open_ledger(RunPaths(folder), planned).progress
    for arm in planned.arms:
        for chunk in range(arm.n_chunks):
            assert progress.arms[arm.name].committed[chunk]
            mine = chunk_file(folder, arm.name, chunk).read_bytes()
            assert mine == chunk_file(complete_run, arm.name, chunk).read_bytes()


def test_a_run_whose_scan_is_gone_is_still_drawn(half_run: Path) -> None:
    manifest = Manifest.load(RunPaths(half_run).manifest)
    gone = {"scan": str(half_run / "gone.npz"), "arm.reconstruction": str(half_run / "gone.npz")}
    replace(manifest, sources={**manifest.sources, **gone}).save(RunPaths(half_run).manifest)
    files = preview(half_run)
    assert [path.name for path in files.pictures] == ["pinn.png"]
    assert "cannot be shown" in files.message
    assert document(files)["arms"]["pinn"]["metrics"] == {}
