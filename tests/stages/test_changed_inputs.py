"""An input that was overwritten after the run: refused by what reads it, named by the rest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.engine.manifest import Manifest
from ptyrun.errors import IdentityError
from ptyrun.paths import RunPaths
from ptyrun.progress import Silent
from ptyrun.stages import finalize, report
from tests.scans import scan_arrays, write_reconstruction, write_scan
from tests.studies import Finished, ptyrun


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs and, in ``run``, a finished comparison of one reconstruction. Not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    write_scan(folder / "scan.npz")
    write_reconstruction(folder / "recon.npz")
    done = ptyrun(*words(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy that may be changed, its inputs beside it."""
    here = Path(shutil.copytree(finished, tmp_path / "here"))
    paths = RunPaths(here / "run")
    manifest = Manifest.load(paths.manifest)
    sources = {"scan": str(here / "scan.npz"), "arm.reconstruction": str(here / "recon.npz")}
    replace(manifest, sources={**manifest.sources, **sources}).save(paths.manifest)
    return here


def words(folder: Path) -> list[str]:
    return [
        "compare",
        *[f"--test_data={folder / 'scan.npz'}", f"--tike_recon_path={folder / 'recon.npz'}"],
        f"--output_dir={folder / 'run'}",
    ]


def overwrite(folder: Path, name: str) -> None:
    if name == "scan.npz":
        write_scan(folder / name, objectGuess=1.1 * scan_arrays()["objectGuess"])
    else:
        write_reconstruction(folder / name, seed=99)


def results_of(run: Path) -> dict[str, bytes]:
    kept = {"results.json", "SHA256SUMS", "objects.zarr", "report", "comparison_metrics.csv"}
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.relative_to(run).parts[0] in kept
    }


CHANGES = {"scan.npz": "scan changed", "recon.npz": "arm.reconstruction changed"}


@pytest.mark.parametrize("name", CHANGES)
def test_finalize_refuses_a_changed_input_and_leaves_the_results(folder: Path, name: str) -> None:
    before = results_of(folder / "run")
    overwrite(folder, name)
    with pytest.raises(IdentityError, match=f"{CHANGES[name]}: .*{name}"):
        finalize.finalize(folder / "run")
    assert results_of(folder / "run") == before
    assert ptyrun("finalize", str(folder / "run")).returncode == 2


class Meddler(Silent):
    """Overwrites the reconstruction when it is being measured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        if task.startswith("measure"):
            overwrite(self._folder, "recon.npz")


def test_finalize_refuses_an_input_that_is_replaced_while_it_works(folder: Path) -> None:
    before = results_of(folder / "run")
    with pytest.raises(IdentityError, match=r"arm\.reconstruction changed"):
        finalize.finalize(folder / "run", force=True, watcher=Meddler(folder))
    assert results_of(folder / "run") == before


def others(folder: Path) -> Iterator[Finished]:
    run = str(folder / "run")
    yield ptyrun("preview", run)
    yield ptyrun("report", run)
    yield ptyrun("export", run, f"--output={folder / 'figures.csv'}")


@pytest.mark.parametrize("name", CHANGES)
def test_what_only_shows_a_run_names_a_changed_input_and_goes_on(folder: Path, name: str) -> None:
    overwrite(folder, name)
    for done in others(folder):
        assert done.returncode == 0, done.stderr
        assert CHANGES[name] in done.stderr
    notes = json.loads((folder / "run/preview/preview.json").read_text())["notes"]
    assert any(CHANGES[name] in note for note in notes)
    for level in ("size", "full"):
        done = ptyrun("verify", str(folder / "run"), f"--level={level}")
        assert done.returncode != 0
        assert f"input: {folder / name}: {CHANGES[name]}" in done.stdout


def test_a_finished_run_may_be_moved_alone(folder: Path) -> None:
    for name in CHANGES:
        (folder / name).unlink()
    before = results_of(folder / "run")
    report.report(folder / "run")
    for command in (["report"], ["verify"], ["export", f"--output={folder / 'figures.csv'}"]):
        done = ptyrun(command[0], str(folder / "run"), *command[1:])
        assert (done.returncode, done.stderr) == (0, "")
    assert {k: v for k, v in results_of(folder / "run").items() if "report" not in k} == {
        k: v for k, v in before.items() if "report" not in k
    }


def test_a_command_that_needs_an_input_that_was_moved_says_so_in_words(folder: Path) -> None:
    (folder / "recon.npz").rename(folder / "elsewhere.npz")
    for words in (["run", str(folder / "run")], ["finalize", str(folder / "run"), "--force"]):
        done = ptyrun(*words)
        assert done.returncode == 2
        assert f"error: {folder / 'recon.npz'} cannot be read\n" in done.stderr
        assert "  why: there is nothing of that name\n" in done.stderr
        assert "if the file was moved, give its new place" in done.stderr


def test_verify_writes_nothing_into_a_run(folder: Path) -> None:
    shutil.rmtree(folder / "run/cache")
    assert ptyrun("verify", str(folder / "run"), "--level=size").returncode == 0
    assert not (folder / "run/cache").exists()
