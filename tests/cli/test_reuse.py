"""What another run computed is taken over where it is the same, and only there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import Committed, Reused, Started
from ptyrun.paths import RunPaths
from tests.scans import write_network
from tests.studies import TRUST, Study, content, ptyrun


def records(run_dir: Path, kind: type) -> list[object]:
    return [each for _, each in read_records(RunPaths(run_dir)) if isinstance(each, kind)]


def begun(run_dir: Path) -> set[str]:
    """Arms of which a chunk was computed."""
    return {each.arm for each in records(run_dir, Started)}  # type: ignore[attr-defined]


def total(run_dir: Path, *arms: str) -> int:
    found = json.loads(ptyrun("status", str(run_dir), "--json").stdout)["arms"]
    return sum(found[arm]["chunks_total"] for arm in arms)


@pytest.mark.parametrize("chunk", ["7", "9", "all"])
def test_a_run_with_reuse_ends_in_the_same_bytes_without_computing(
    chunk: str, study: Study, complete: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    done = ptyrun(*study.words(run_dir, f"--reuse={complete}", chunk=chunk))
    assert done.returncode == 0, done.stderr
    assert begun(run_dir) == set()
    found, without = content(run_dir), content(complete)
    found["results.json"].pop("manifest_digest")
    without["results.json"].pop("manifest_digest")
    assert found == without
    assert ptyrun("verify", str(run_dir)).returncode == 0
    status = json.loads(ptyrun("status", str(run_dir), "--json").stdout)
    for arm in ("pinn", "baseline"):
        assert status["arms"][arm]["chunks_reused"] == total(run_dir, arm)
    assert "taken over from another run" in ptyrun("status", str(run_dir)).stdout


def test_an_arm_that_is_added_costs_only_that_arm(
    study: Study, complete: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    other = write_network(tmp_path / "other", gridsize=1, seed=8)
    more = f"--arm=name=other,path={other},chunk=7,batch=4"
    trust = [word for word in study.words(run_dir) if word.startswith("--trust")]
    words = [*study.words(run_dir, more, f"--reuse={complete}")]
    done = ptyrun(*words, *(["--trust-model=other"] if trust else []))
    assert done.returncode == 0, done.stderr
    assert begun(run_dir) == {"other"}


LIMITED = ("--pinn-debug-limit=22", "--baseline-debug-limit=22")


@pytest.fixture(scope="module")
def debugs(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes complete debug runs of 22 of 40 groups, once for each chunk size."""
    folder = tmp_path_factory.mktemp("debugs")

    def debug(chunk: str) -> Path:
        run_dir = folder / chunk
        if not run_dir.exists():
            done = ptyrun(*study.words(run_dir, *LIMITED, chunk=chunk))
            assert done.returncode == 0, done.stderr
        return run_dir

    return debug


@pytest.mark.parametrize(("debug_chunk", "chunk"), [("7", "7"), ("5", "7"), ("all", "6")])
def test_a_full_run_takes_over_every_chunk_whose_groups_its_debug_run_has(
    debug_chunk: str,
    chunk: str,
    study: Study,
    complete: Path,
    debugs: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    debug, run_dir = debugs(debug_chunk), tmp_path / "run"
    done = ptyrun(
        *study.words(run_dir, f"--require-debug={debug}", f"--reuse={debug}", chunk=chunk)
    )
    assert done.returncode == 0, done.stderr
    assert "complete, every byte checked" in done.stderr
    status = json.loads(ptyrun("status", str(run_dir), "--json").stdout)["arms"]
    began = {(each.arm, each.chunk) for each in records(run_dir, Started)}  # type: ignore[attr-defined]
    for plan in Manifest.load(RunPaths(debug).manifest).arms:
        if not plan.n_chunks:
            continue
        whole, n_chunks = plan.n_items // int(chunk), status[plan.name]["chunks_total"]
        assert whole > 1, "the test would show nothing"
        assert status[plan.name]["chunks_reused"] == whole
        computed = {number for arm, number in began if arm == plan.name}
        assert computed == set(range(whole, n_chunks))
    found, without = content(run_dir), content(complete)
    found["results.json"].pop("manifest_digest")
    without["results.json"].pop("manifest_digest")
    assert found == without


def test_normalisation_and_groups_of_a_limited_run_are_those_of_the_whole(
    debugs: Callable[[str], Path], complete: Path
) -> None:
    debug = debugs("7")
    for arm in ("pinn", "baseline"):
        for table in ("normalisation", "frames", "positions_px"):
            few: Any = zarr.open_array(debug / f"arrays.zarr/index/{arm}/{table}", mode="r")[:]
            whole: Any = zarr.open_array(complete / f"arrays.zarr/index/{arm}/{table}", mode="r")[:]
            assert np.array_equal(few, whole[: len(few)])


DIFFERENCES = {
    "another network": (["--baseline_dir={other}"], {"baseline"}, "weights_sha256"),
    "another batch": (["--pinn-predict-batch-size=8"], {"pinn"}, "batch_groups"),
    "another selection": (["--n-test-groups=39"], {"pinn", "baseline"}, "normalisation"),
    "other groups": (["--grouping-seed=7"], {"pinn", "baseline"}, "normalisation"),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_what_is_not_the_same_is_computed_and_said(
    case: str, study: Study, complete: Path, tmp_path: Path
) -> None:
    words, computed, named = DIFFERENCES[case]
    other = write_network(tmp_path / "other", gridsize=1, seed=8)
    run_dir = tmp_path / "run"
    given = [word.format(other=other) for word in words]
    done = ptyrun(*study.words(run_dir, f"--reuse={complete}", *given))
    assert done.returncode == 0, done.stderr
    assert begun(run_dir) == computed
    assert named in done.stderr
    fresh = tmp_path / "fresh"
    assert ptyrun(*study.words(fresh, *given)).returncode == 0
    assert content(run_dir) == content(fresh)


@pytest.mark.slow
def test_a_damaged_chunk_is_not_taken(study: Study, tmp_path: Path) -> None:
    source, run_dir, fresh = tmp_path / "source", tmp_path / "run", tmp_path / "fresh"
    assert ptyrun(*study.words(source)).returncode == 0
    victim = source / "arrays.zarr/pinn/patches/c.2.0.0"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 4
    victim.write_bytes(data)
    (source / "arrays.zarr/pinn/patches/c.3.0.0").unlink()
    done = ptyrun(*study.words(run_dir, f"--reuse={source}"))
    assert done.returncode == 0, done.stderr
    computed = {(each.arm, each.chunk) for each in records(run_dir, Started)}  # type: ignore[attr-defined]
    assert computed == {("pinn", 2), ("pinn", 3)}
    assert ptyrun(*study.words(fresh)).returncode == 0
    assert content(run_dir) == content(fresh)


def test_an_incomplete_run_gives_what_it_has_and_a_repeat_asks_again(
    study: Study, complete: Path, tmp_path: Path
) -> None:
    source, run_dir = tmp_path / "source", tmp_path / "run"
    assert ptyrun(*study.words(source, "--max-chunks=2")).returncode == 75
    assert ptyrun("plan", *study.words(run_dir)[1:]).returncode == 0
    words = ["run", str(run_dir), f"--reuse={source}", f"--reuse={complete}", "--max-chunks=1"]
    words += [word for word in study.words(run_dir) if word.startswith("--trust-model")]
    done = ptyrun(*words)
    assert done.returncode == 0, done.stderr
    assert begun(run_dir) == set()
    taken = {each.source: 0 for each in records(run_dir, Reused)}  # type: ignore[attr-defined]
    assert set(taken) == {str(source), str(complete)}
    before = len(records(run_dir, Committed))
    assert ptyrun(*words).returncode == 0
    assert len(records(run_dir, Committed)) == before


@pytest.mark.slow
def test_time_that_was_spent_on_predicting_stays_what_it_was(
    study: Study, complete: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun(*study.words(run_dir, f"--reuse={complete}", chunk="9")).returncode == 0

    def seconds(folder: Path) -> float:
        arms = json.loads((folder / "results.json").read_text())["arms"]
        return float(arms["pinn"]["computation_time_s"])

    assert seconds(run_dir) == pytest.approx(seconds(complete), rel=1e-3)


@pytest.mark.parametrize("source", ["nothing", "itself"])
def test_a_source_that_is_none_is_refused_before_any_work(
    source: str, study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    folder = tmp_path / "empty" if source == "nothing" else run_dir
    folder.mkdir()
    refused = ptyrun(*study.words(run_dir, f"--reuse={folder}"))
    assert refused.returncode == 2
    assert str(folder) in refused.stderr
    assert not (run_dir / "manifest.json").exists()


def test_a_session_in_the_background_takes_over_too(
    study: Study, complete: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun("plan", *study.words(run_dir, chunk="9")[1:]).returncode == 0
    words = ["start", str(run_dir), f"--reuse={complete}", *TRUST]
    subprocess.run([sys.executable, "-m", "ptyrun", *words], check=True)
    assert ptyrun("wait", str(run_dir)).returncode == 0
    assert begun(run_dir) == set()
    assert len(records(run_dir, Reused)) > 0


@pytest.mark.parametrize("command", ["compare", "plan", "run", "start"])
def test_a_source_that_somebody_else_planned_is_refused_until_it_is_adopted(
    command: str, study: Study, complete: Path, tmp_path: Path
) -> None:
    source, run_dir = Path(shutil.copytree(complete, tmp_path / "source")), tmp_path / "run"
    (source / "owner.json").unlink()
    words = [*study.words(run_dir)[1:], f"--reuse={source}"]
    if command in ("run", "start"):
        assert ptyrun("plan", *study.words(run_dir)[1:]).returncode == 0
        words = [str(run_dir), f"--reuse={source}", *TRUST]
    refused = ptyrun(command, *words)
    assert refused.returncode == 2
    assert f"ptyrun run {source} --adopt" in refused.stderr
    assert not records(run_dir, Committed)
    if command == "run":
        assert ptyrun("run", str(source), "--adopt", *TRUST).returncode == 0
        done = ptyrun(command, *words)
        assert done.returncode == 0, done.stderr
        assert begun(run_dir) == set()
