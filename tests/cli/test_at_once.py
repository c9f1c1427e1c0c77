"""What do commands make of one folder that are started on it at the same moment?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.presence import PATIENCE_S
from ptyrun.host.devices import hold_devices
from ptyrun.paths import RunPaths
from tests.scans import write_network
from tests.studies import TRUST, Study, ptyrun


def begin(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ptyrun", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ends(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Exit code of each, and what it said."""
    said = [process.communicate(timeout=1800) for process in processes]
    return [(p.returncode, "".join(s)) for p, s in zip(processes, said, strict=True)]


def test_three_comparisons_started_at_once_on_a_fresh_folder_make_one_run(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    told = ends([begin(study.words(run_dir)) for _ in range(3)])
    assert [code for code, _ in told] == [0] * 3, told
    assert sum("writing objects" in said for _, said in told) == 1, "results are made once"
    assert ptyrun("verify", str(run_dir)).returncode == 0
    assert [folder.name for folder in tmp_path.iterdir()] == ["run"]


def test_plans_made_at_once_are_one_plan(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    words = ["plan", *study.words(run_dir)[1:]]
    told = ends([begin(words) for _ in range(3)])
    assert [code for code, _ in told] == [0] * 3, told
    assert sum("planning:" in said for _, said in told) == 1, "the others find it"


def test_a_run_set_aside_while_others_wait_for_it_is_planned_again_once(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    words = ["plan", *study.words(run_dir)[1:]]
    assert ptyrun(*words).returncode == 0
    with FileLock(run_dir / "claims" / "plan.lock"):
        waiting = [begin(words), begin(words)]
        for process in waiting:
            assert process.stderr is not None
            assert any("another process plans this run" in line for line in process.stderr)
        run_dir.rename(tmp_path / "aside")
        told = ends([begin(words), *waiting])
    assert [code for code, _ in told] == [0, 0, 0], told
    assert (tmp_path / "aside/manifest.json").exists()
    assert ptyrun("verify", str(run_dir)).returncode == 0


def test_two_that_begin_afresh_at_once_leave_one_whole_plan(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    words = ["plan", *study.words(run_dir, "--new")[1:]]
    assert ptyrun(*words).returncode == 0
    told = ends([begin(words), begin(words)])
    assert [code for code, _ in told] == [0, 0], told
    # The second one sets the first one's plan aside, or was in the new folder before it.
    assert len(list(tmp_path.glob("run.until-*"))) in (1, 2)
    assert ptyrun("verify", str(run_dir)).returncode == 0


def test_a_dry_run_waits_for_nobody_and_writes_nothing(study: Study, tmp_path: Path) -> None:
    words = ["plan", *study.words(tmp_path / "run", "--dry-run")[1:]]
    assert ptyrun(*words).returncode == 0
    assert not (tmp_path / "run").exists()


def test_a_dry_run_needs_no_place_for_what_it_does_not_write(study: Study, tmp_path: Path) -> None:
    words = ["plan", *study.words(tmp_path / "run", "--dry-run")[1:]]
    placed = ptyrun(*words)
    unplaced = ptyrun(*(word for word in words if not word.startswith("--output_dir")))
    assert unplaced.returncode == placed.returncode == 0
    assert unplaced.stdout == placed.stdout
    assert not (tmp_path / "run").exists()


def test_a_dry_run_says_the_notes_of_the_plan(study: Study, tmp_path: Path) -> None:
    words = ["plan", *study.words(tmp_path / "run")[1:]]
    dry, planned = ptyrun(*words, "--dry-run"), ptyrun(*words)
    assert "is taken as amplitude" in dry.stderr
    assert (dry.stdout, dry.stderr) == (planned.stdout, planned.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["--new", "--invalidate=baseline"])
def test_a_plan_is_not_replaced_under_a_session_that_waits_for_its_device(
    study: Study, tmp_path: Path, word: str
) -> None:
    run_dir = tmp_path / "run"
    words = ["plan", *study.words(run_dir)[1:]]
    assert ptyrun(*words).returncode == 0
    other = write_network(tmp_path / "other", gridsize=1, seed=5)
    changed = [*words, f"--baseline_dir={other}", word]
    with hold_devices(tmp_path, 0, True):
        starter = begin(["run", str(run_dir), *TRUST, "--lock-cpu", "--device-wait", "1h"])
        try:
            wait_for_a_session(run_dir)
            began_s = time.monotonic()
            refused = ptyrun(*changed)
            assert time.monotonic() - began_s >= PATIENCE_S
        finally:
            starter.kill()
            starter.communicate()
    assert refused.returncode == 1
    assert f"process {starter.pid} on" in refused.stderr
    assert len(list(tmp_path.glob("run*"))) == 1, "nothing was set aside"
    assert ptyrun("verify", str(run_dir)).returncode == 0
    again = ptyrun(*changed)
    assert again.returncode == 0, again.stderr
    done = ptyrun("run", str(run_dir), *TRUST)
    assert done.returncode == 0, done.stderr
    assert ptyrun("verify", str(run_dir)).returncode == 0


def wait_for_a_session(run_dir: Path) -> None:
    paths = RunPaths(run_dir)
    deadline_s = time.monotonic() + 300
    while not any(path.stat().st_size for path in paths.ledger.glob("*.jsonl")):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_session_refused_for_its_input_is_no_window_and_no_obstacle(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    scan = tmp_path / "scan.npz"
    shutil.copy(study.scan, scan)
    words = [*study.words(run_dir), f"--test_data={scan}"]
    assert ptyrun("plan", *words[1:]).returncode == 0
    kept = scan.read_bytes()
    scan.write_bytes(kept + b"\0")
    assert ptyrun("run", str(run_dir), *TRUST).returncode == 2
    paths = RunPaths(run_dir)
    (session,) = open_ledger(paths, Manifest.load(paths.manifest)).sessions.values()
    assert session.closed is not None and session.closed.exit_code == 2
    assert "0 windows so far" in ptyrun("status", str(run_dir)).stdout
    scan.write_bytes(kept)
    assert ptyrun("run", str(run_dir), *TRUST).returncode == 0
