"""Does the script of `docs/queues.md` compute a run on workers that a real Slurm starts?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.slurm import Slurm, slurm
from tests.paced import Bench, bench, inputs

__all__ = ["bench", "inputs", "slurm"]

QUEUES = Path(__file__).resolve().parents[2] / "docs/queues.md"


@pytest.mark.slow
def test_workers_that_are_jobs_compute_a_run(slurm: Slurm, bench: Bench) -> None:
    pytest.importorskip(
        "dask_jobqueue", reason="it is not installed: pip install 'ptyrun[jobqueue]'"
    )
    _, _, behind = QUEUES.read_text(encoding="utf-8").partition("from dask_jobqueue")
    script = f"from dask_jobqueue{behind.partition('```')[0]}"
    assert '"RUN"' in script
    folder = bench.run.parent
    (folder / "session.py").write_text(script.replace('"RUN"', f'"{bench.run}"'))
    environment = {**bench.environment, "PATH": slurm.environment["PATH"]}
    done = subprocess.run(
        [sys.executable, "session.py"],
        cwd=folder,
        env={**environment, "SLURM_CONF": slurm.environment["SLURM_CONF"]},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert bench.commits() == 6
    assert "JobName=dask-worker" in slurm.do("scontrol", "show", "jobs")
