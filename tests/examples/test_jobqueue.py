"""Do the scripts of `docs/queues.md` compute a run on workers that a real queue starts?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.examples.htcondor import HTCondor, htcondor
from tests.examples.slurm import Slurm, slurm
from tests.paced import Bench, bench, inputs

__all__ = ["bench", "htcondor", "inputs", "slurm"]

QUEUES = Path(__file__).resolve().parents[2] / "docs/queues.md"


def compute(bench: Bench, cluster: str, before: Sequence[str] = (), **variables: str) -> None:
    """Run the script for that kind of cluster to its end; *before* stands before it."""
    pytest.importorskip(
        "dask_jobqueue", reason="it is not installed: pip install 'ptyrun[jobqueue]'"
    )
    start = f"from dask_jobqueue import {cluster}\n"
    _, _, behind = QUEUES.read_text(encoding="utf-8").partition(start)
    script = start + behind.partition("```")[0]
    assert '"RUN"' in script
    folder = bench.run.parent
    (folder / "session.py").write_text(script.replace('"RUN"', f'"{bench.run}"'))
    done = subprocess.run(
        [*before, sys.executable, "session.py"],
        cwd=folder,
        env={**bench.environment, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert bench.commits() == 6


@pytest.mark.slow
def test_workers_that_are_jobs_of_slurm_compute_a_run(slurm: Slurm, bench: Bench) -> None:
    known = {name: slurm.environment[name] for name in ("PATH", "SLURM_CONF")}
    compute(bench, "SLURMCluster", **known)
    assert "JobName=dask-worker" in slurm.do("scontrol", "show", "jobs")


@pytest.mark.slow
def test_workers_that_are_jobs_of_htcondor_compute_a_run(htcondor: HTCondor, bench: Bench) -> None:
    known = {name: htcondor.environment[name] for name in ("PATH", "CONDOR_CONFIG")}
    # What the test's predictor needs; and the workers are on this machine.
    known["DASK_JOBQUEUE__HTCONDOR__JOB_EXTRA_DIRECTIVES"] = '{"getenv": "True"}'
    known["DASK_JOBQUEUE__HTCONDOR__INTERFACE"] = "lo"
    compute(bench, "HTCondorCluster", before=htcondor.as_user, **known)
    assert "DaskWorkerName" in htcondor.do("condor_history", "-json", "-limit", "1")
