"""A finished run keeps its results without its patches, and every command knows it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.session_ledger import begin
from ptyrun.paths import RunPaths
from tests.studies import TRUST, Study, content, ptyrun


def chunks(run_dir: Path) -> list[Path]:
    return sorted((run_dir / "arrays.zarr").glob("*/patches/c.*"))


def results(run_dir: Path) -> dict[str, bytes]:
    files = [*run_dir.glob("*.*"), *(run_dir / "objects.zarr").rglob("*")]
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def test_patches_go_results_stay_and_all_is_said(run_dir: Path) -> None:
    kept, n_chunks = results(run_dir), len(chunks(run_dir))
    done = ptyrun("prune", str(run_dir))
    assert done.returncode == 0, done.stderr
    assert f"{n_chunks} chunks deleted" in done.stdout
    assert chunks(run_dir) == []
    assert results(run_dir) == kept
    verified = ptyrun("verify", str(run_dir))
    assert verified.returncode == 0, verified.stdout
    assert "pruned" in verified.stdout
    status = json.loads(ptyrun("status", str(run_dir), "--json").stdout)
    assert (status["state"], status["finalized"]) == ("complete", True)
    assert {arm["chunks_pruned"] for arm in status["arms"].values() if arm["chunks_total"]} == {
        arm["chunks_total"] for arm in status["arms"].values() if arm["chunks_total"]
    }
    assert "pruned" in ptyrun("status", str(run_dir)).stdout
    again = ptyrun("prune", str(run_dir))
    assert again.returncode == 0
    assert "0 chunks deleted" in again.stdout


def test_a_damaged_result_of_a_pruned_run_is_still_found(run_dir: Path) -> None:
    assert ptyrun("prune", str(run_dir)).returncode == 0
    table = run_dir / "comparison_metrics.csv"
    table.write_text(table.read_text().replace("1", "2", 1))
    found = ptyrun("verify", str(run_dir))
    assert found.returncode != 0
    assert "comparison_metrics.csv" in found.stdout


def test_what_needs_patches_says_how_to_get_them_and_the_rest_works(run_dir: Path) -> None:
    assert ptyrun("prune", str(run_dir)).returncode == 0
    assert ptyrun("run", str(run_dir), *TRUST).returncode == 0
    assert ptyrun("report", str(run_dir)).returncode == 0
    (run_dir / "results.json").unlink()
    (run_dir / "SHA256SUMS").unlink()
    shutil.rmtree(run_dir / "cache")  # with the sums from which results are assembled again
    refused = ptyrun("finalize", str(run_dir))
    assert refused.returncode == 1, refused.stderr
    assert "ptyrun prune --undo" in refused.stderr
    seen = ptyrun("preview", str(run_dir))
    assert "cannot be shown" in seen.stdout + seen.stderr, "NaN would be a picture of nothing"


def test_undone_and_computed_again_a_run_is_what_it_was(run_dir: Path, complete: Path) -> None:
    assert ptyrun("prune", str(run_dir)).returncode == 0
    assert ptyrun("prune", str(run_dir), "--undo").returncode == 0
    assert json.loads(ptyrun("status", str(run_dir), "--json").stdout)["state"] == "incomplete"
    done = ptyrun("run", str(run_dir), *TRUST)
    assert done.returncode == 0, done.stderr
    assert ptyrun("finalize", str(run_dir)).returncode == 0
    assert ptyrun("verify", str(run_dir)).returncode == 0
    assert content(run_dir) == content(complete)
    refused = ptyrun("prune", str(run_dir), "--undo")
    assert refused.returncode == 2
    assert "is not pruned" in refused.stderr
    assert ptyrun("prune", str(run_dir)).returncode == 0
    assert chunks(run_dir) == []


def test_an_interrupted_pruning_is_completed_by_the_next_call(run_dir: Path) -> None:
    before = {path: path.read_bytes() for path in chunks(run_dir)}
    assert ptyrun("prune", str(run_dir)).returncode == 0
    for path in list(before)[::2]:  # as a crash in between would leave them
        path.write_bytes(before[path])
    assert ptyrun("verify", str(run_dir)).returncode == 0
    assert ptyrun("prune", str(run_dir)).returncode == 0
    assert chunks(run_dir) == []


@pytest.mark.parametrize("lack", ["a chunk", "results", "a whole chunk", "a whole result"])
def test_what_is_not_finished_and_whole_is_not_pruned(lack: str, run_dir: Path) -> None:
    victim = chunks(run_dir)[3]
    if lack == "a chunk":
        victim.unlink()
    elif lack == "results":
        (run_dir / "results.json").unlink()
        (run_dir / "SHA256SUMS").unlink()
    else:
        path = victim if lack == "a whole chunk" else run_dir / "comparison_plot.png"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 8
        path.write_bytes(data)
    before = {path: path.read_bytes() for path in chunks(run_dir)}
    refused = ptyrun("prune", str(run_dir))
    assert refused.returncode != 0, refused.stdout
    assert {path: path.read_bytes() for path in chunks(run_dir)} == before


def test_a_run_that_is_not_complete_is_not_pruned(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun(*study.words(run_dir, "--max-chunks=2")).returncode == 75
    refused = ptyrun("prune", str(run_dir))
    assert refused.returncode == 75
    assert "left to compute" in refused.stderr
    assert len(chunks(run_dir)) == 2


def test_a_session_at_work_is_named_and_nothing_is_deleted(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ptyrun.engine import presence
    from ptyrun.host.processes import Process

    monkeypatch.setattr(presence, "PATIENCE_S", 0.2)
    paths = RunPaths(run_dir)
    ledger = open_ledger(paths, Manifest.load(paths.manifest))
    begin(ledger, None, Process.current(), "0")
    refused = ptyrun("prune", str(run_dir))
    assert refused.returncode == 1
    assert f"a session works on {run_dir}" in refused.stderr
    assert chunks(run_dir)


def test_a_pruned_comparison_called_again_does_nothing(run_dir: Path, study: Study) -> None:
    words = study.words(run_dir)
    assert ptyrun(*words).returncode == 0
    assert ptyrun("prune", str(run_dir)).returncode == 0
    before = results(run_dir)
    sessions = sorted((run_dir / "ledger").iterdir())
    again = ptyrun(*words)
    assert again.returncode == 0, again.stderr
    assert sorted((run_dir / "ledger").iterdir()) == sessions
    assert results(run_dir) == before
