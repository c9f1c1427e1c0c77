"""Several workers, a cluster, and a session that is stopped at work, each by a call in Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ptyrun
from ptyrun.errors import ClusterError
from tests.clusters import running
from tests.door.conftest import Example
from tests.paced import Bench, bench, inputs

__all__ = ["bench", "inputs"]


def in_python(bench: Bench, code: str) -> str:
    opening = "import sys, time, ptyrun\nrun = ptyrun.open_run(sys.argv[1])"
    ran = subprocess.run(
        [sys.executable, "-c", f"{opening}\n{code}", str(bench.run)],
        env=bench.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_several_workers_complete_a_run(bench: Bench) -> None:
    said = in_python(
        bench, "found = run.run(workers=2, adopt=True)\nprint(found.stop.name, found.chunks_left)"
    )
    assert said == "COMPLETE 0\n"
    assert len([*(bench.run / "ledger").glob("*.jsonl")]) == 2


def test_a_job_at_work_is_stopped_and_nothing_of_it_is_left(bench: Bench) -> None:
    bench.close_gate()
    said = in_python(
        bench,
        "job = run.start(adopt=True)\n"
        "while run.status().state.value != 'running': time.sleep(0.05)\n"
        "stopped = job.stop('5s')\n"
        "print(stopped.was_over, run.status().state.value, bool(job.tail()))",
    )
    assert said == "False incomplete True\n"
    assert not bench.processes()


@pytest.mark.slow
def test_the_workers_of_a_cluster_complete_a_run(bench: Bench, tmp_path: Path) -> None:
    with running(tmp_path / "cluster", lambda: bench.environment) as cluster:
        worker = cluster.worker()
        said = in_python(
            bench,
            f"found = run.run(dask={cluster.address!r}, adopt=True)\n"
            "print(found.stop.name, found.chunks_left, run.status().state.value)",
        )
        assert said == "COMPLETE 0 complete\n"
        assert worker.is_running(), "the cluster is not ours to end"
    (ledger,) = (bench.run / "ledger").glob("*.jsonl")
    opened = json.loads(ledger.read_text().splitlines()[0])
    assert opened["crew"], "a session of this machine, not one of the cluster's"


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_named(example: Example, tmp_path: Path) -> None:
    run = ptyrun.plan(
        test_data=example.scan,
        output_dir=tmp_path / "run",
        tike_recon_path=example.reconstructions[0],
    )
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run.run(dask="tcp://127.0.0.1:9", window="4s")
