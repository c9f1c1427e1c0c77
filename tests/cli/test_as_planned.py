"""A size that is left off when a command is repeated is not asked to change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptyrun.engine.manifest import Manifest
from ptyrun.stages.status import status
from tests.studies import TRUST, Study, ptyrun


@pytest.mark.parametrize("chunk", ["7", "all"])
def test_sizes_left_off_on_a_repeat_mean_as_planned(
    chunk: str, study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun("plan", *study.words(run_dir, chunk=chunk)[1:]).returncode == 0
    before = (run_dir / "manifest.json").read_bytes()
    left_off = [word for word in study.words(run_dir) if "-size=" not in word]
    assert len(left_off) < len(study.words(run_dir))
    again = ptyrun("plan", *left_off[1:])
    assert again.returncode == 0, again.stderr
    assert (run_dir / "manifest.json").read_bytes() == before
    given = ptyrun("plan", *left_off[1:], "--pinn-predict-batch-size=2")
    assert given.returncode == 2
    assert "batch_groups was" in given.stderr
    assert "another --output-dir, with --reuse" in given.stderr


def test_the_chunk_size_of_an_arm_may_change_until_a_chunk_of_it_is_computed(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    words, trust = study.words(run_dir), TRUST
    assert ptyrun("plan", *words[1:]).returncode == 0
    assert ptyrun("run", str(run_dir), "--only-arm=pinn", "--max-chunks=1", *trust).returncode == 75
    refused = ptyrun("plan", *words[1:], "--pinn-chunk-size=9", "--baseline-chunk-size=9")
    assert refused.returncode == 2
    assert "planned run: pinn: chunk_items was 7, is 9\n" in refused.stderr

    taken = ptyrun("plan", *words[1:], "--baseline-chunk-size=9")
    assert taken.returncode == 0, taken.stderr
    assert "baseline: chunk_items was 7, is 9: taken, since no chunk of it" in taken.stderr
    done = ptyrun("run", str(run_dir), *trust)
    assert done.returncode == 0, done.stderr
    arms = status(run_dir).arms
    assert (arms["pinn"].chunks_committed, arms["baseline"].chunks_committed) == (6, 7)


def test_sizes_left_off_stay_where_another_arm_is_accepted_as_changed(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun("plan", *study.words(run_dir)[1:]).returncode == 0
    left_off = [word for word in study.words(run_dir) if "-size=" not in word]
    words = ["plan", *left_off[1:], "--baseline-debug-limit=5"]
    done = ptyrun(*words, "--invalidate=baseline")
    assert done.returncode == 0, done.stderr
    arms = json.loads((run_dir / "manifest.json").read_text())["arms"]
    sizes = {arm["name"]: (arm["chunk_items"], arm["facts"].get("batch_groups")) for arm in arms}
    assert sizes["pinn"] == sizes["baseline"] == (7, 4)


def test_a_dry_run_of_an_older_run_says_what_planning_it_again_does(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun("plan", *study.words(run_dir)[1:]).returncode == 0
    # As it was before there was a choice of the width.
    planned = Manifest.load(run_dir / "manifest.json")
    shared = {fact: value for fact, value in planned.shared.items() if fact != "ms_ssim_sigma"}
    older = Manifest(shared, planned.arms, planned.sources)
    older.save(run_dir / "manifest.json")
    left_off = [word for word in study.words(run_dir) if "-size=" not in word]
    for more in ([], ["--dry-run"]):
        said = ptyrun("plan", *left_off[1:], *more)
        assert f"manifest {older.digest}" in said.stdout, said.stderr
    assert "chunks of 7" in said.stdout
    afresh = ptyrun("plan", *left_off[1:], "--dry-run", "--new").stdout
    assert f"manifest {older.digest}" not in afresh and "chunks of 7" not in afresh


def test_what_results_show_otherwise_is_taken_and_said(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    plan = ["plan", *study.words(run_dir)[1:]]
    assert "shown" not in ptyrun(*plan).stderr
    shown = ["--line=8,8,40,40", "--pixel-size-m=2e-8", "--r-factor-frames=all"]
    before = Manifest.load(run_dir / "manifest.json")
    for more in (["--dry-run"], []):
        said = ptyrun(*plan, *shown, "--plot-scale=per-arm", *more)
        assert said.returncode == 0, said.stderr
        for each in (
            "--line is 8,8,40,40, was none",
            "--pixel-size-m is 2e-08, was none",
            "--r-factor-frames is all, was 512",
            "--plot-scale is per-arm, was common",
        ):
            assert each in said.stderr
    assert Manifest.load(run_dir / "manifest.json").digest == before.digest
    again = ptyrun(*plan)
    assert "--pixel-size-m is none, was 2e-08" in again.stderr
    assert "shown" not in ptyrun(*plan).stderr
