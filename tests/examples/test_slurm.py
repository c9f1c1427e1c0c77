"""Does a real Slurm bring a run to its end through limits, preemption, kills and arrays?"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.slurm import Slurm, slurm
from tests.paced import Bench, bench, inputs, until

__all__ = ["bench", "inputs", "slurm"]

SCRIPT = Path(__file__).resolve().parents[2] / "examples/loop/slurm.sbatch"
TASKS = (1, 2, 3)


@pytest.fixture
def gate(bench: Bench, slurm: Slurm) -> Iterator[Path]:
    """Holds every session before its second batch, until it is there."""
    gate = bench.close_gate()
    yield gate
    for suffix in ("", *TASKS):
        gate.with_name(f"gate{suffix}").touch()
    for line in slurm.do("squeue", "--noheader", "--format=%A").split():
        slurm.do("scancel", line)
    until(lambda: not slurm.do("squeue", "--noheader"))


def submit(slurm: Slurm, bench: Bench, *options: str, command: str = "run", more: str = "") -> str:
    """Submit a window of the run, as slurm.sbatch does it; give the job's number."""
    words = [sys.executable, "-m", "ptyrun", command, str(bench.run), *more.split()]
    log = f"--output={bench.run.parent}/job-%A-%a.log"
    sized = ("--parsable", "--cpus-per-task=1", "--time=10", log, *options)
    environment = {**bench.environment, "PATH": slurm.environment["PATH"]}
    environment["SLURM_CONF"] = slurm.environment["SLURM_CONF"]
    folder = bench.run.parent
    return slurm.do("sbatch", *sized, str(SCRIPT), *words, cwd=folder, **environment)


def logs(bench: Bench) -> str:
    return "\n".join(path.read_text() for path in sorted(bench.run.parent.glob("job-*.log")))


def reasons(bench: Bench) -> list[str]:
    """How the sessions that closed said that they ended."""
    files = sorted((bench.run / "ledger").glob("*.jsonl"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [str(json.loads(line)["reason"]) for line in lines if '"event":"close"' in line]


def until_completed(slurm: Slurm, job: str, bench: Bench) -> None:
    until(lambda: slurm.state(job) not in {"PENDING", "RUNNING", "COMPLETING", "REQUEUED"})
    assert slurm.state(job) == "COMPLETED", logs(bench)


def whole(bench: Bench, tmp_path: Path) -> None:
    """See that the chunks are those that one session without any queue makes."""
    alone = Bench(bench.inputs, tmp_path / "alone")
    shutil.copytree(bench.inputs / "planned", alone.run)
    assert alone.do("run").returncode == 0
    chunks = sorted(alone.run.glob("arrays.zarr/pinn/patches/c.*"))
    assert len(chunks) == 6
    for chunk in chunks:
        assert (bench.run / chunk.relative_to(alone.run)).read_bytes() == chunk.read_bytes()


def test_a_job_that_is_warned_puts_itself_back_and_goes_on(
    slurm: Slurm, bench: Bench, gate: Path
) -> None:
    job = submit(slurm, bench)
    until(bench.commits)
    slurm.do("scancel", "--batch", "--signal=USR1", job)  # as Slurm does before the limit
    until(bench.asked)
    gate.touch()
    until(lambda: slurm.job(job)["Restarts"] == "1")
    assert "received SIGUSR1" in reasons(bench)
    until_completed(slurm, job, bench)
    assert bench.commits() == 6, "no chunk was computed twice"


@pytest.mark.slow
def test_the_time_limit_is_one_window_of_many(
    slurm: Slurm, bench: Bench, gate: Path, tmp_path: Path
) -> None:
    job = submit(slurm, bench, "--time=2", "--signal=B:USR1@60")
    until(bench.asked)  # in the second window, where the first had not begun after a minute
    gate.touch()
    until(lambda: "received SIGUSR1" in reasons(bench))
    until_completed(slurm, job, bench)
    assert int(slurm.job(job)["Restarts"]) >= 1
    whole(bench, tmp_path)


@pytest.mark.slow
def test_a_cancelled_job_closes_its_window_and_does_not_come_back(
    slurm: Slurm, bench: Bench, gate: Path
) -> None:
    job = submit(slurm, bench)
    until(bench.commits)
    slurm.do("scancel", job)
    until(bench.asked)
    gate.touch()
    until(lambda: slurm.state(job) == "CANCELLED")
    until(lambda: not bench.processes())
    assert slurm.job(job)["Restarts"] == "0"
    assert bench.do("run").returncode == 0, "and what it committed is kept"
    assert bench.commits() == 6


@pytest.mark.slow
def test_a_preempted_job_is_put_back_by_slurm_and_goes_on(
    slurm: Slurm, bench: Bench, gate: Path, tmp_path: Path
) -> None:
    job = submit(slurm, bench)
    until(bench.commits)
    urgent = slurm.do(
        "sbatch", "--parsable", "--partition=high", "--exclusive", "--wrap=true", cwd=tmp_path
    )
    until(bench.asked)
    gate.touch()
    until(lambda: slurm.state(urgent) == "COMPLETED")
    until_completed(slurm, job, bench)
    assert slurm.job(job)["Restarts"] == "1"
    assert "received SIGTERM" in reasons(bench)
    whole(bench, tmp_path)


@pytest.mark.slow
def test_tasks_of_an_array_share_one_run_and_each_puts_back_itself_alone(
    slurm: Slurm, bench: Bench, gate: Path, tmp_path: Path
) -> None:
    bench.close_gate("$SLURM_ARRAY_TASK_ID")
    array = submit(slurm, bench, "--array=1-3", more="--shared-folder")
    tasks = [f"{array}_{place}" for place in TASKS]
    until(lambda: len(list((bench.run / "ledger").glob("*.jsonl"))) == 3 and bench.commits())
    slurm.do("scancel", "--batch", "--signal=USR1", tasks[1])
    # It may be in a chunk, and then waits for its gate, or wait for those that the others hold.
    until(lambda: bench.asked() or slurm.job(tasks[1])["Restarts"] == "1")
    gate.with_name("gate2").touch()
    until(lambda: slurm.job(tasks[1])["Restarts"] == "1")  # the others hold theirs: work remains
    gate.with_name("gate1").touch()
    gate.with_name("gate3").touch()
    for task in tasks:
        until_completed(slurm, task, bench)
    assert [slurm.job(task)["Restarts"] for task in tasks] == ["0", "1", "0"]
    whole(bench, tmp_path)


@pytest.mark.slow
def test_a_killed_session_is_tried_again_on_a_node_that_is_back_from_maintenance(
    slurm: Slurm, bench: Bench, gate: Path, tmp_path: Path
) -> None:
    job = submit(slurm, bench)
    until(bench.commits)
    slurm.do("scontrol", "update", "node=localhost", "state=drain", "reason=maintenance")
    try:
        for process in bench.processes():
            if "ptyrun" in process.cmdline() and process.cmdline()[0] == sys.executable:
                process.send_signal(signal.SIGKILL)
        until(lambda: slurm.state(job) == "PENDING")
        gate.touch()
        assert slurm.job(job)["Restarts"] == "1"
        assert "was killed by SIGKILL" in logs(bench)
    finally:
        slurm.do("scontrol", "update", "node=localhost", "state=resume")
    until_completed(slurm, job, bench)
    whole(bench, tmp_path)
