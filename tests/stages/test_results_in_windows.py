"""Results that are made in windows of one step each, and results that need not be made."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.comparison import keeping
from ptyrun.config import Presentation
from ptyrun.engine import ownership
from ptyrun.engine.costs import progress_of
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.window import Window
from ptyrun.errors import DamageError, WindowClosedError, WindowTooShortError
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from ptyrun.stages import finalize, report
from tests.studies import content

MADE = {"results.json", "SHA256SUMS", "objects.zarr", "report", "cache", "comparison_plot.png"}


class OneStep(Window):
    """A window that is used up as soon as anything was achieved in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(1e6)
        self._costs = RunPaths(folder).costs
        self._before = progress_of(self._costs)

    @property
    def remaining_s(self) -> float:
        return 1e6 if progress_of(self._costs) == self._before else 0.0


@pytest.fixture
def unfinished(complete_run: Path, tmp_path: Path) -> Path:
    """A copy without results."""
    folder = Path(shutil.copytree(complete_run, tmp_path / "run"))
    for name in MADE:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return folder


def test_windows_of_one_step_each_end_in_the_same_results(
    complete_run: Path, unfinished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sums are kept after every chunk; each of these is a step as well.
    monkeypatch.setattr(keeping, "BLOCK_S", 0.0)
    monkeypatch.setattr(keeping, "SHARE", 0.0)
    windows = 0
    while True:
        windows += 1
        try:
            finalize.finalize(unfinished, window=OneStep(unfinished))
            break
        except WindowClosedError:
            assert not (unfinished / "results.json").exists()
    assert windows > 15, "several windows were one"
    assert content(unfinished) == content(complete_run)
    assert list(checksums.problems(unfinished)) == []


class Known(Window):
    """A window of ten seconds that has just begun, whatever the clock says."""

    remaining_s = 10.0
    elapsed_s = 0.0


def test_a_window_that_cannot_hold_the_next_step_is_refused_and_takes_nothing_away(
    complete_run: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(complete_run, tmp_path / "run"))
    shutil.rmtree(folder / "cache")
    paths = RunPaths(folder)
    document = {
        "schema": 1,
        "run": Manifest.load(paths.manifest).digest,
        "finished": 1,
        "open": None,
        "steps": {"write": {"took_s": 100.0, "cut_after_s": 0.0, "cuts": 0}},
    }
    paths.cache.mkdir()
    paths.costs.write_text(ownership.signed(document))
    before = content(folder)
    with pytest.raises(WindowClosedError):  # it has assembled and measured
        finalize.finalize(folder, force=True, window=Known(10.0))
    (folder / "SHA256SUMS").unlink()  # so that results are to be made
    with pytest.raises(WindowTooShortError) as refused:
        finalize.finalize(folder, window=Known(10.0))
    assert 100 < refused.value.enough_s < 200
    assert content(folder) == before


def stamps(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] in MADE - {"cache"}
    }


def test_finalize_and_report_called_again_do_nothing_unless_they_are_told_to(
    complete_run: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(complete_run, tmp_path / "run"))
    report.report(folder)
    before = stamps(folder)
    finalize.finalize(folder)
    report.report(folder)
    assert stamps(folder) == before
    finalize.finalize(folder, force=True)
    report.report(folder, force=True)
    after = stamps(folder)
    assert all(after[name] > before[name] for name in ("results.json", "report/index.html"))


@pytest.mark.slow
@pytest.mark.pictures
def test_other_words_for_the_presentation_rewrite_the_results(
    complete_run: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(complete_run, tmp_path / "run"))
    paths = RunPaths(folder)
    manifest = Manifest.load(paths.manifest)
    assert paths.reconstructions.exists()
    shown = Presentation(save_npz=False, percentile_max=80.0).facts()
    replace(manifest, sources={**manifest.sources, **shown}).save(paths.manifest)
    picture = paths.plot.read_bytes()
    finalize.finalize(folder)
    assert paths.plot.read_bytes() != picture
    assert not paths.reconstructions.exists()
    assert list(checksums.problems(folder)) == []


@pytest.mark.parametrize("name", ["results.json", "objects.zarr/pinn/object/c.0.0", "SHA256SUMS"])
def test_a_damaged_result_is_made_again(complete_run: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(complete_run, tmp_path / "run"))
    text = bytearray((folder / name).read_bytes())
    text[len(text) // 2] ^= 1
    (folder / name).write_bytes(text)
    finalize.finalize(folder)
    assert content(folder) == content(complete_run)
    assert list(checksums.problems(folder)) == []


def test_a_damaged_chunk_is_found_where_its_object_is_not_kept(unfinished: Path) -> None:
    chunk = unfinished / "arrays.zarr/pinn/patches/c.3.0.0"
    text = bytearray(chunk.read_bytes())
    text[100] ^= 1
    chunk.write_bytes(text)
    with pytest.raises(DamageError, match=r"c\.3\.0\.0"):
        finalize.finalize(unfinished)
    assert not (unfinished / "results.json").exists()
