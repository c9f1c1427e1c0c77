"""Are the stages of a study made by the workers of a Dask cluster, and by nobody after the end?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words
from tests.clusters import Cluster, running, without_ptyrun
from tests.paced import on_tmpfs, until, windows_s
from tests.study.hubs import contents, write_base

PATIENCE_S = 300
HELD = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], f"{sys.argv[2]}-{os.getpid()}").touch()
while not pathlib.Path(sys.argv[1], "gate").exists():
    time.sleep(0.05)
os.makedirs(os.path.dirname(sys.argv[3]), exist_ok=True)
open(sys.argv[3], "w")
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running(tmp_path / "cluster", lambda: os.environ) as cluster:
        yield cluster


class Held:
    """A study with two stages that are made until a gate opens."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hub = folder, folder / "hub"
        self._begun = folder / "begun"
        self._begun.mkdir()
        write_base(folder / "base.npz")
        rows = ['hub = "hub"\ndose = 1000\nview = "dense"\nsplits = "train"\nbase_npz = "base.npz"']
        for name in ("a", "b"):
            output = str(self.hub / "data" / name)
            line = [sys.executable, "-S", "-c", HELD, str(self._begun), name, output]
            command = json.dumps(line)
            rows.append(
                f'[[stage]]\nname = "{name}"\ncommand = {command}\noutputs = ["data/{name}"]'
            )
        (folder / "study.toml").write_text("\n".join(rows))

    def words(self, *more: str) -> tuple[str, ...]:
        config = str(self.folder / "study.toml")
        return ptyrun_words("study", "run", "--config", config, "--only", "a", "--only", "b", *more)

    def begin(self, *more: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(self.words(*more), stdout=pipe, stderr=pipe, text=True)

    def at_work(self, name: str) -> list[psutil.Process]:
        """Processes that were begun for a stage and still run."""
        pids = [int(path.name.partition("-")[2]) for path in self._begun.glob(f"{name}-*")]
        found = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
        return [each for each in found if each.status() != psutil.STATUS_ZOMBIE]

    def open_gate(self) -> None:
        (self._begun / "gate").touch()


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path)


def study(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ptyrun_words("study", *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--jobs", "2", "--dask", "local:2"), "--jobs and --dask contradict each other"),
        (("--jobs", "dask"), "no Dask scheduler is named"),
        (("--dask", "local:x"), "--dask local:x is not a cluster"),
    ],
)
def test_a_cluster_that_cannot_be_meant_is_wrong_usage(
    held: Held, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str
) -> None:
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    done = subprocess.run(held.words(*words), capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.USAGE
    assert why in done.stderr
    assert not held.hub.exists() or not [*held.hub.glob("data/*")]


@pytest.mark.slow
def test_a_study_made_by_a_cluster_is_the_same_as_one_made_here(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    base = write_base(tmp_path / "base.npz")
    words = ("--base-npz", str(base), "--dose", "1000", "10000", "--n-groups", "8", "--name", "s")
    there, here = tmp_path / "there", tmp_path / "here"
    done = study("run", "--hub", str(there), *words, "--neighbor-count", "5", "--dask", "local:2")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    done = study("run", "--hub", str(here), *words, "--neighbor-count", "5", "--jobs", "2")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert contents(there) == contents(here)
    assert not [*there.glob("meeting*")]


@pytest.mark.slow
def test_a_lost_worker_costs_its_stage_alone_which_another_makes(
    held: Held, cluster: Cluster
) -> None:
    first = cluster.worker()
    session = held.begin("--dask", cluster.address)
    until(lambda: bool(held.at_work("a") + held.at_work("b")))
    (lost,) = held.at_work("a") + held.at_work("b")
    cluster.worker()
    until(lambda: len(held.at_work("a") + held.at_work("b")) == 2)
    first.kill()
    until(lambda: not lost.is_running() or lost.status() == psutil.STATUS_ZOMBIE)
    held.open_gate()
    said, complaints = session.communicate(timeout=PATIENCE_S)
    assert session.returncode == ExitCode.COMPLETE, complaints
    assert "is gone; what others make goes on" in complaints
    assert "2 stages made" in said


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_stages_end_with_the_session_that_sent_for_them(
    held: Held, cluster: Cluster, sent: int
) -> None:
    cluster.worker()
    session = held.begin("--dask", cluster.address)
    until(lambda: bool(held.at_work("a") + held.at_work("b")))
    session.send_signal(sent)
    session.communicate(timeout=PATIENCE_S)
    assert session.returncode == (-sent if sent == signal.SIGKILL else ExitCode.INCOMPLETE)
    until(lambda: not held.at_work("a") + held.at_work("b"))


@pytest.mark.slow
def test_a_window_without_workers_is_incomplete_and_one_that_closes_ends_the_stages(
    held: Held, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.address)

    def waited(window_s: float) -> bool:
        session = held.begin("--jobs", "dask", f"--window={window_s}s")
        _, complaints = session.communicate(timeout=PATIENCE_S)
        assert session.returncode == ExitCode.INCOMPLETE, complaints
        return "waiting for workers of the cluster" in complaints

    window_s = next(filter(waited, windows_s(8.0)))
    for _ in range(3):  # as many as would be too many without progress
        assert waited(2 * window_s)
    cluster.worker()
    session = held.begin("--jobs", "dask", "--window", "20s")
    until(lambda: bool(held.at_work("a") + held.at_work("b")) or session.poll() is not None)
    _, complaints = session.communicate(timeout=PATIENCE_S)
    assert session.returncode == ExitCode.INCOMPLETE, complaints
    until(lambda: not held.at_work("a") + held.at_work("b"))


@pytest.mark.slow
def test_workers_that_cannot_work_are_refused_by_name(
    held: Held, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.worker(PYTHONPATH=without_ptyrun(tmp_path))
    session = held.begin("--dask", cluster.address)
    _, complaints = session.communicate(timeout=PATIENCE_S)
    assert session.returncode == ExitCode.FAILED, complaints
    assert "does not have this version" in complaints
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no mount namespace can be made here: a copy of the hub cannot be hidden")
    cluster.worker(before=on_tmpfs(held.hub, "as it is"))
    session = held.begin("--dask", cluster.address)
    _, complaints = session.communicate(timeout=PATIENCE_S)
    assert session.returncode == ExitCode.FAILED, complaints
    assert "none of 2 workers" in complaints
