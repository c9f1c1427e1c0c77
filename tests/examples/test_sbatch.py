"""Does slurm.sbatch do as it says where Slurm is stood in for? A real one is in test_slurm.py."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.examples.stage import LOOP, ROOT, Stage, end, stage, wait_for

__all__ = ["stage"]


def slurm_job(stage: Stage, number: signal.Signals) -> int:
    """Exit code of a Slurm job that is sent a signal; what it asked Slurm for is noted."""
    (stage.folder / "sleeps").touch()
    scontrol = stage.folder / "scontrol"
    scontrol.write_text('#!/bin/sh\necho "$@" >"${0%/*}/requeued"\n', encoding="utf-8")
    scontrol.chmod(0o755)
    environment = {
        **stage.environment,
        "SLURM_SUBMIT_DIR": str(ROOT),
        "SLURM_JOB_ID": "4711",
        "PATH": f"{stage.folder}:{os.environ['PATH']}",
    }
    job = subprocess.Popen(["bash", LOOP / "slurm.sbatch", "test", "full"], env=environment)
    try:
        wait_for(stage.folder / "sleeping")
        job.send_signal(number)
        return job.wait(timeout=300)
    finally:
        end(job)


@pytest.mark.parametrize("is_deaf", [False, True])
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
def test_a_slurm_job_hands_a_warning_on_as_usr1_and_requeues_itself(
    stage: Stage, number: signal.Signals, is_deaf: bool
) -> None:
    if is_deaf:
        (stage.folder / "deaf").touch()
    assert slurm_job(stage, number) == 75
    assert (stage.folder / "requeued").read_text(encoding="utf-8") == "requeue 4711\n"


def ended_slurm_job(stage: Stage, *words: str, **variables: str) -> int:
    """Exit code of a Slurm job that ends by itself; its requeues are noted, one a line."""
    scontrol = stage.folder / "scontrol"
    scontrol.write_text('#!/bin/sh\necho "$@" >>"${0%/*}/requeued"\n', encoding="utf-8")
    scontrol.chmod(0o755)
    submitted = stage.folder / "submitted"
    (submitted / "examples").mkdir(parents=True, exist_ok=True)
    if not (submitted / "examples/loop").exists():
        (submitted / "examples/loop").symlink_to(LOOP)
    path = f"{stage.folder}:{os.environ['PATH']}"
    slurm = {"SLURM_SUBMIT_DIR": str(submitted), "SLURM_JOB_ID": "4711", "PATH": path}
    words = words or ("test", "full")
    return stage.do("bash", LOOP / "slurm.sbatch", *words, **slurm, **variables).returncode


def test_a_task_of_an_array_requeues_itself_alone(stage: Stage) -> None:
    stage.ends_with(75)
    task = {"SLURM_ARRAY_JOB_ID": "4711", "SLURM_ARRAY_TASK_ID": "3"}
    assert ended_slurm_job(stage, str(stage.ptyrun), "run", "RUN", **task) == 75
    assert (stage.folder / "requeued").read_text(encoding="utf-8") == "requeue 4711_3\n"
    assert stage.calls() == [["run", "RUN"]]


def test_a_slurm_job_whose_session_is_killed_requeues_itself_but_not_for_ever(stage: Stage) -> None:
    stage.ends_with(*[137] * 3, "137 0", *[137] * 20)
    codes = [ended_slurm_job(stage) for _ in range(12)]
    assert codes[:10] == [75] * 10
    assert 137 in codes[10:], "eight in a row without progress"
    requeued = (stage.folder / "requeued").read_text(encoding="utf-8")
    assert requeued.count("requeue 4711") == codes.count(75)


def test_a_slurm_job_that_was_cancelled_stays_so(stage: Stage) -> None:
    assert slurm_job(stage, signal.SIGTERM) == 75
    assert not (stage.folder / "requeued").exists()
