"""A comparison on the command line: windows, kills, changed inputs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.config import SessionOptions
from ptyrun.door.all_stages import compare
from ptyrun.engine import window
from ptyrun.engine.work import Outcome
from ptyrun.errors import ExitCode
from ptyrun.host.clock import boot_clock_s
from ptyrun.progress import Silent, Watcher, predicting
from ptyrun.stages import run
from tests.scans import scan_arrays, write_network, write_scan
from tests.studies import TRUST, TRUSTED, Study, content, ptyrun

HOUR_S = 3600.0


def test_a_comparison_leaves_the_files_that_it_promises(complete: Path) -> None:
    for name in (
        "manifest.json",
        "results.json",
        "comparison_metrics.csv",
        "comparison_plot.png",
        "frc_curves.csv",
        "reconstructions.npz",
        "reconstructions_metadata.txt",
        "reconstructions_aligned.npz",
        "pinn_frc_curves.csv",
        "baseline_frc_curves.csv",
        "reconstruction_frc_curves.csv",
        "report/index.html",
    ):
        assert (complete / name).stat().st_size > 0, name


def test_a_second_call_does_nothing_and_succeeds(study: Study, complete: Path) -> None:
    before = content(complete)
    process = ptyrun(*study.words(complete))
    assert process.returncode == 0
    assert "nothing was left to compute" in process.stdout
    rows = [line.partition(":")[0] for line in process.stdout.splitlines()]
    assert rows[1:4] == ["PtychoPINN", "Baseline", "PtyChi"], "as planned"
    assert content(complete) == before


@pytest.mark.parametrize("at_least", [2, 10])
def test_many_windows_end_as_one(
    at_least: int, study: Study, complete: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    codes: list[int] = []
    few = "--max-chunks=1" if at_least == 10 else "--max-chunks=5"
    while not codes or codes[-1] == 75:
        codes.append(ptyrun(*study.words(run_dir, few)).returncode)
    assert len(codes) > at_least
    assert codes[-1] == 0
    assert content(run_dir) == content(complete)


@pytest.mark.parametrize("chunk", ["16", "1", "160", "all"])
def test_the_chunk_size_leaves_no_trace(
    chunk: str, study: Study, complete: Path, tmp_path: Path
) -> None:
    assert ptyrun(*study.words(tmp_path / "run", chunk=chunk)).returncode == 0
    found, expected = content(tmp_path / "run"), content(complete)
    for document in (found, expected):
        document["results.json"].pop("manifest_digest")
    assert found == expected


def test_compressed_chunks_are_smaller_and_hold_the_same(
    study: Study, complete: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun(*study.words(run_dir, "--compression=lz4")).returncode == 0
    found, expected = content(run_dir), content(complete)
    for document in (found, expected):
        document["results.json"].pop("manifest_digest")
    assert found == expected
    sizes = [
        (run / "arrays.zarr/pinn/patches/c.0.0.0").stat().st_size for run in (run_dir, complete)
    ]
    assert sizes[0] < sizes[1]


def test_a_run_killed_at_random_and_continued_ends_as_one(
    study: Study, complete: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    generator = np.random.default_rng(5)
    kills = 0
    for commits in (1, 4, 7, 10):
        process = subprocess.Popen(
            [sys.executable, "-m", "ptyrun", *study.words(run_dir, "--quiet")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: process.poll() is not None or committed(run_dir) >= commits)  # noqa: B023
        time.sleep(generator.uniform(0, 0.05))
        process.kill()
        process.wait()
        assert process.returncode in (0, -signal.SIGKILL), "0 if it was done before this was"
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 2, "it was hardly ever killed"
    assert ptyrun(*study.words(run_dir)).returncode == 0
    assert content(run_dir) == content(complete)


@pytest.fixture
def changeable(study: Study, complete: Path, tmp_path: Path) -> tuple[Study, Path]:
    """A copy of the finished run and of its inputs."""
    inputs = tmp_path / "inputs"
    shutil.copytree(study.scan.parent, inputs)
    shutil.copytree(complete, tmp_path / "run")
    copied = Study(*(inputs / getattr(study, f).name for f in Study.__dataclass_fields__))
    return copied, tmp_path / "run"


def test_a_run_and_its_inputs_may_move(changeable: tuple[Study, Path], tmp_path: Path) -> None:
    inputs, run_dir = changeable
    run_dir = run_dir.rename(tmp_path / "a run elsewhere")
    scan = inputs.scan.rename(tmp_path / "renamed scan.npz")
    process = ptyrun(*replace(inputs, scan=scan).words(run_dir))
    assert process.returncode == 0, process.stderr
    assert "nothing was left to compute" in process.stdout
    scan.unlink()
    missing = ptyrun("run", str(run_dir))
    assert missing.returncode == 2
    assert "give its new place" in missing.stderr


def test_a_changed_scan_is_refused_by_name(changeable: tuple[Study, Path]) -> None:
    inputs, run_dir = changeable
    write_scan(inputs.scan, diffraction=scan_arrays(seed=8)["diffraction"])
    process = ptyrun(*inputs.words(run_dir))
    assert process.returncode == 2
    assert "scan_sha256 was" in process.stderr
    assert "--new" in process.stderr


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("--grouping-seed=9", "grouping_seed was 123, is 9"),
        ("--pinn-predict-batch-size=8", "pinn: batch_groups was 4, is 8"),
        ("--stitch-crop-size=16", "stitch_crop_px was 20, is 16"),
        ("--pinn-chunk-size=9", "pinn: chunk_items was 7, is 9"),
        ("--n-test-groups=30", "n_groups was 40, is 30"),
    ],
)
def test_a_changed_option_is_refused_by_name(
    word: str, named: str, changeable: tuple[Study, Path]
) -> None:
    inputs, run_dir = changeable
    before = content(run_dir)
    process = ptyrun(*inputs.words(run_dir, word))
    assert process.returncode == 2
    assert named in process.stderr
    assert content(run_dir) == before


def test_a_changed_baseline_is_computed_again_alone(changeable: tuple[Study, Path]) -> None:
    inputs, run_dir = changeable
    write_network(inputs.baseline, gridsize=1, seed=5)
    before = content(run_dir)
    refused = ptyrun(*inputs.words(run_dir))
    assert refused.returncode == 2
    assert "baseline: weights_sha256 was" in refused.stderr
    assert "--invalidate baseline" in refused.stderr

    accepted = ptyrun(*inputs.words(run_dir, "--invalidate=baseline"))
    assert accepted.returncode == 0, accepted.stderr
    after = content(run_dir)
    assert after["arrays.zarr/pinn/patches"] == before["arrays.zarr/pinn/patches"]
    assert after["arrays.zarr/baseline/patches"] != before["arrays.zarr/baseline/patches"]
    assert arms_started(run_dir) == {"baseline"}


def test_new_evaluation_options_cost_no_prediction(changeable: tuple[Study, Path]) -> None:
    inputs, run_dir = changeable
    words = inputs.words(run_dir, "--frc-sigma=0.5")
    refused = ptyrun(*words)
    assert refused.returncode == 2
    assert "--invalidate results" in refused.stderr
    accepted = ptyrun(*words, "--invalidate=results")
    assert accepted.returncode == 0, accepted.stderr
    assert arms_started(run_dir) == set()


def test_new_starts_afresh_and_keeps_the_old_run(changeable: tuple[Study, Path]) -> None:
    inputs, run_dir = changeable
    before = content(run_dir)
    process = ptyrun(*inputs.words(run_dir, "--new", "--grouping-seed=9"))
    assert process.returncode == 0, process.stderr
    (aside,) = run_dir.parent.glob("run.until-*")
    assert content(aside) == before
    assert content(run_dir) != before


def test_new_leaves_a_link_in_place_and_sets_aside_the_folder_behind_it(
    changeable: tuple[Study, Path], tmp_path: Path
) -> None:
    inputs, run_dir = changeable
    before = content(run_dir)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "latest"
    link.symlink_to(run_dir)
    process = ptyrun(*inputs.words(link, "--new", "--grouping-seed=9", "--max-chunks=1"))
    assert process.returncode == 75, process.stderr
    (aside,) = run_dir.parent.glob("run.until-*")
    assert content(aside) == before
    assert f"the earlier run was moved to {aside}" in process.stderr
    assert link.readlink() == run_dir
    assert list(link.parent.iterdir()) == [link]
    assert committed(run_dir) == 1


def test_new_with_an_input_that_cannot_be_used_leaves_the_run_in_place(
    changeable: tuple[Study, Path],
) -> None:
    inputs, run_dir = changeable
    before = content(run_dir)
    write_scan(inputs.scan, diffraction=-scan_arrays()["diffraction"])
    process = ptyrun(*inputs.words(run_dir, "--new"))
    assert process.returncode == 2
    assert content(run_dir) == before


@pytest.mark.parametrize("words", [["--new"], ["--invalidate=pinn", "--pinn-chunk-size=3"]])
def test_a_run_is_not_planned_anew_while_a_session_works_on_it(
    words: list[str], study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "ptyrun", *study.words(run_dir, "--quiet", chunk="1")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: any(f.stat().st_size for f in (run_dir / "ledger").glob("*")))
        process.send_signal(signal.SIGSTOP)
        assert process.poll() is None
        refused = ptyrun(*study.words(run_dir, *words, chunk="1"))
    finally:
        process.kill()
        process.wait()
    assert refused.returncode == 1
    assert str(process.pid) in refused.stderr
    accepted = ptyrun(*study.words(run_dir, *words, "--max-chunks=1", chunk="1"))
    assert accepted.returncode == 75, accepted.stderr


def test_a_window_that_ends_with_the_last_chunk_leaves_the_results_to_the_next(
    study: Study, complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(run_dir: Path, session: SessionOptions, watcher: Watcher) -> Outcome:
        outcome = run.run(run_dir, TRUSTED, watcher)
        monkeypatch.setattr(window, "boot_clock_s", lambda: boot_clock_s() + HOUR_S)
        return outcome

    config = study.config(tmp_path / "run")
    with window.counted_from_now():
        first = compare(config, SessionOptions(window_s=HOUR_S), work=whole)
    assert (first.stop, first.run.stop) == (ExitCode.INCOMPLETE, ExitCode.COMPLETE)
    assert not (tmp_path / "run/results.json").exists()
    assert compare(config, SessionOptions(), work=whole).stop is ExitCode.COMPLETE
    assert content(tmp_path / "run") == content(complete)


def test_a_signal_that_comes_with_the_last_chunk_leaves_the_results_to_the_next(
    study: Study, complete: Path, tmp_path: Path
) -> None:
    config, session = study.config(tmp_path / "run"), SessionOptions()
    first = compare(config, session, watcher=SignalsAtTheEnd())
    assert (first.stop, first.run.stop) == (ExitCode.INCOMPLETE, ExitCode.COMPLETE)
    assert not (tmp_path / "run/results.json").exists()
    assert compare(config, session).results == compare(config, session).results is not None
    assert content(tmp_path / "run") == content(complete)


def test_who_asks_for_quiet_gets_results_only(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    quiet = ptyrun("plan", *study.words(run_dir, "--quiet")[1:])
    assert (quiet.returncode, quiet.stderr) == (0, "")
    for words in (["run", "--max-chunks=1"], ["run", "--until-complete"], ["preview"]):
        trust = TRUST if words[0] == "run" else ()
        done = ptyrun(*words, str(run_dir), "--quiet", *trust)
        assert (done.returncode in (0, 75), done.stderr) == (True, ""), words
    loud = ptyrun("run", str(run_dir))
    assert "nothing was left to compute" in loud.stdout
    finished = ptyrun("finalize", str(run_dir), "--quiet")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "results in" in finished.stdout


@pytest.mark.parametrize("words", [[], ["--verbose"], ["--console-level=INFO"]])
def test_a_note_is_shown_once_and_logged_at_every_level(
    words: list[str], study: Study, tmp_path: Path
) -> None:
    said = ptyrun(*study.words(tmp_path / "run", "--max-chunks=1", *words)).stderr
    loads = [line for line in said.splitlines() if "loading model.ts" in line]
    assert loads == ["PtychoPINN: loading model.ts"]
    (log,) = (tmp_path / "run/logs").iterdir()
    assert log.read_text().count("loading model.ts") == 1


class SignalsAtTheEnd(Silent):
    """Asks this process to end when the last group of the last arm is committed."""

    left = 0

    def begin(self, task: str, total: int, done: int = 0, unit: str = "groups") -> None:
        self.left = total - done

    def advance(self, task: str, count: int) -> None:
        self.left -= count
        if task == predicting("Baseline") and not self.left:
            os.kill(os.getpid(), signal.SIGTERM)


def arms_started(run_dir: Path) -> set[str]:
    """Arms with chunks begun in the latest session."""
    latest = max((run_dir / "ledger").glob("*.jsonl"))
    records = [json.loads(line) for line in latest.read_text().splitlines()]
    return {record["arm"] for record in records if record["event"] == "start"}


def test_a_model_that_merges_the_groups_of_a_batch_is_found_out_and_recorded(
    study: Study, tmp_path: Path
) -> None:
    model = tmp_path / "merging"
    write_network(model, gridsize=2, merges=True)
    words = [w for w in study.words(tmp_path / "run") if not w.startswith("--pinn_dir")]
    first = ptyrun(*words, f"--pinn_dir={model}", "--max-chunks=2")
    assert first.returncode == 75
    assert "predicts 1 group at once, not 4" in first.stderr
    second = ptyrun(*words, f"--pinn_dir={model}")
    assert second.returncode == 0, second.stderr
    assert "predicts 1 group" not in second.stderr  # it was not asked again
    arm = json.loads((tmp_path / "run/results.json").read_text())["arms"]["pinn"]
    assert arm["n_groups"] == 40
    assert "4 groups at once did not work" in arm["notes"][0]


def test_a_model_that_is_refused_when_it_is_loaded_says_how_to_go_on_with_another(
    study: Study, tmp_path: Path
) -> None:
    model, run_dir = tmp_path / "model", tmp_path / "run"
    write_network(model, gridsize=2)
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**card, "gridsize": 1}))
    words = [w for w in study.words(run_dir) if not w.startswith("--baseline_dir")]
    refused = ptyrun(*words, f"--baseline_dir={model}")
    assert refused.returncode == 2
    assert "with another one, add --invalidate baseline" in refused.stderr
    write_network(model, gridsize=1, seed=1)
    done = ptyrun(*words, f"--baseline_dir={model}", "--invalidate=baseline")
    assert done.returncode == 0, done.stderr


def test_sigterm_closes_the_window_early(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "ptyrun", *study.words(run_dir, chunk="1")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: committed(run_dir) > 2)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=1800)
    assert process.returncode in (0, 75)
    assert "remain" in out or "complete" in out


def committed(run_dir: Path) -> int:
    files = list((run_dir / "ledger").glob("*.jsonl"))
    return sum(file.read_text().count('"event":"commit"') for file in files)


def wait_for(condition: Any, timeout_s: float = 1800) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
