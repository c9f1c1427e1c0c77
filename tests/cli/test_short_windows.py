"""Windows that cannot hold the next step: refused at once, with the one that would do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ptyrun.engine import ownership
from ptyrun.engine.costs import Costs
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import ArmOpened, Closed, Started
from ptyrun.engine.session_ledger import begin
from ptyrun.paths import RunPaths
from tests.engine.toys import just_begun
from tests.scans import write_reconstruction, write_scan
from tests.stages import finished_run
from tests.studies import ptyrun

HEAVY = ("numpy", "scipy", "zarr", "pandas", "matplotlib", "torch", "tensorflow", "h5py")
CODE = (
    "import sys\nfrom ptyrun.cli.main import main\n"
    "try:\n    main()\nexcept SystemExit as end:\n"
    f"    found = [name for name in {HEAVY} if name in sys.modules]\n"
    "    print(end.code, found)"
)
# Of a process that refuses, to one that says its version; those that import what makes results
# take more than ten times as much.
MOST_CPU = 5


@dataclass(frozen=True)
class Said:
    """A command in a process of its own."""

    last: str
    stderr: str
    cpu_s: float


def process(*words: str) -> Said:
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stderr is not None
    out, err = child.stdout.read(), child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    child.stderr.close()
    return Said(out.splitlines()[-1], err, used.ru_utime + used.ru_stime)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete comparison of a reconstruction, beside its inputs."""
    folder = tmp_path_factory.mktemp("complete")
    write_scan(folder / "scan.npz")
    write_reconstruction(folder / "recon.npz")
    done = ptyrun(*comparison(folder, folder / "run"))
    assert done.returncode == 0, done.stderr
    return folder


def comparison(folder: Path, run: Path) -> list[str]:
    given = [f"--test_data={folder / 'scan.npz'}", f"--tike_recon_path={folder / 'recon.npz'}"]
    return ["compare", *given, f"--output_dir={run}", "--no-vector-plots"]


def know(run: Path, step: str, took_s: float) -> None:
    """Let *step* be the next one, of a known cost."""
    paths = RunPaths(run)
    known = {"took_s": took_s, "cut_after_s": 0.0, "cuts": 0}
    document = {
        "schema": 1,
        "run": Manifest.load(paths.manifest).digest,
        "finished": 0,
        "open": step,
        "steps": {step: known},
    }
    paths.costs.write_text(ownership.signed(document))


def without_results(complete: Path, folder: Path) -> Path:
    """A copy of the run that has no results yet, and a next step of 100 s."""
    run = Path(shutil.copytree(complete / "run", folder / "run"))
    for name in ("results.json", "SHA256SUMS", "report"):
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    know(run, "write", 100.0)
    return run


def to_compare(complete: Path, folder: Path) -> list[str]:
    return comparison(complete, without_results(complete, folder))


def to_finalize(complete: Path, folder: Path) -> list[str]:
    return ["finalize", str(without_results(complete, folder))]


def to_report(complete: Path, folder: Path) -> list[str]:
    run = Path(shutil.copytree(complete / "run", folder / "run"))
    shutil.rmtree(run / "report")
    know(run, "report", 100.0)
    return ["report", str(run)]


def to_run(_: Path, folder: Path) -> list[str]:
    """A run with one chunk done of each arm, which took 100 s."""
    paths = RunPaths(folder / "run")
    paths.root.mkdir()
    manifest = finished_run.manifest(finished_run.LABELS, None)
    manifest.save(paths.manifest)
    session = begin(open_ledger(paths, manifest), 500.0, just_begun(), "0.1.0")
    for arm in manifest.arms:
        if arm.n_items:
            done = replace(finished_run.committed(arm, 0, 101.0), seconds=100.0)
            session.append([ArmOpened(arm.name, 1.0), Started(arm.name, 0, 0, 1.0), done])
    session.close(Closed(75, "the window closed", 2, 210.0))
    return ["run", str(paths.root)]


@pytest.mark.parametrize("command", [to_compare, to_finalize, to_report, to_run])
def test_one_that_cannot_hold_the_next_step_is_refused_before_anything_slow(
    complete: Path, tmp_path: Path, command: Callable[[Path, Path], list[str]]
) -> None:
    words = command(complete, tmp_path)
    least_s = min(process("--version").cpu_s for _ in range(3))
    refused = process(*words, "--window", "90s")
    assert refused.last == "1 []", refused.stderr
    found = re.search(r"--window (\d+)s", refused.stderr)
    assert found, refused.stderr
    assert 100 < int(found[1]) < 200
    assert refused.cpu_s < MOST_CPU * least_s, f"{refused.cpu_s} s against {least_s} s"


@pytest.mark.parametrize("command", [to_compare, to_finalize, to_report, to_run])
def test_status_says_why_a_window_was_refused_until_anything_is_achieved(
    complete: Path, tmp_path: Path, command: Callable[[Path, Path], list[str]]
) -> None:
    words = command(complete, tmp_path)
    run = tmp_path / "run"
    before = status(run)
    refused = process(*words, "--window", "90s")
    found = re.search(r"--window (\d+)s or more", refused.stderr)
    assert found, refused.stderr
    said = status(run)
    assert "the latest window was too short: the " in said
    assert f"next: --window {found[1]}s or more" in said
    RunPaths(run).refused.unlink()
    assert status(run) == before, "it was counted as something else"
    process(*words, "--window", "90s")
    achieve(run)
    assert "too short" not in status(run)


@pytest.mark.parametrize("text", ["", "[]", "\0", "{}", '{"schema": 2}'])
def test_a_note_of_refusals_that_is_none_says_nothing(
    complete: Path, tmp_path: Path, text: str
) -> None:
    run = without_results(complete, tmp_path)
    before = status(run)
    RunPaths(run).refused.write_text(text)
    assert status(run) == before
    RunPaths(run).refused.unlink()
    RunPaths(run).refused.mkdir()
    assert status(run) == before
    refused = process(*comparison(complete, run), "--window", "90s")
    assert refused.last.split()[0] in {"1", "2"}


def status(run: Path) -> str:
    done = ptyrun("status", str(run))
    assert done.returncode == 0, done.stderr
    return done.stdout


def achieve(run: Path) -> None:
    """Let one more step be done, or one more session begin."""
    paths = RunPaths(run)
    manifest = Manifest.load(paths.manifest)
    if paths.costs.exists():
        Costs(paths.costs, manifest.digest).advance()
    else:
        begin(open_ledger(paths, manifest), 500.0, just_begun(), "0.1.0")


@pytest.mark.parametrize("command", [to_compare, to_finalize, to_report])
def test_the_window_that_is_named_does(
    complete: Path, tmp_path: Path, command: Callable[[Path, Path], list[str]]
) -> None:
    words = command(complete, tmp_path)
    assert process(*words, "--window", "1000s").last.startswith("0 ")


@pytest.mark.parametrize("by", ["", "00" * 32])
def test_what_somebody_else_says_of_costs_refuses_no_window(
    complete: Path, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = without_results(complete, tmp_path)
    monkeypatch.setattr(ownership, "_mac", lambda *_: by)
    know(run, "write", 100.0)
    monkeypatch.undo()
    assert process("finalize", str(run), "--window", "90s").last.startswith("0 ")


def test_a_run_that_lacks_chunks_is_refused_for_those_and_not_for_the_window(
    tmp_path: Path,
) -> None:
    words = to_run(tmp_path, tmp_path)
    refused = process("finalize", words[1], "--window", "30s")
    assert refused.last.startswith("75 ")
    assert "left to compute" in refused.stderr
