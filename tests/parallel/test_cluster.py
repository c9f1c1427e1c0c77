"""Do the workers of a Dask cluster work on one run, come and go, and end with whoever sent them?"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ptyrun.errors import ExitCode
from tests.paced import Bench, until, windows_s

DASK = [sys.executable, "-m", "dask"]


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path, bench: Bench) -> None:
        self._file = folder / "scheduler.json"
        self._folder = folder
        self._bench = bench
        self._begun: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def scheduler(self) -> str:
        """Begin it; return its address."""
        self._begin("scheduler", "--no-dashboard", "--host", "127.0.0.1", "--port", "0")
        # The file appears empty first.
        until(lambda: self._file.exists() and self._file.read_text().endswith("}"))
        return str(json.loads(self._file.read_text())["address"])

    def _begin(self, kind: str, *words: str) -> psutil.Process:
        log = (self._folder / f"{kind}.log").open("ab")
        process = subprocess.Popen(
            [*DASK, kind, *words, "--scheduler-file", str(self._file)],
            env=self._bench.environment,
            cwd=self._folder,
            stdout=log,
            stderr=log,
        )
        log.close()
        self._begun.append(process)
        return psutil.Process(process.pid)

    def worker(self) -> psutil.Process:
        """Begin one; its environment is the bench's."""
        local = ("--local-directory", str(self._folder), "--no-dashboard", "--no-nanny")
        return self._begin("worker", *local, "--nthreads", "1", "--host", "127.0.0.1")

    def kill_scheduler(self) -> None:
        self._begun[0].kill()

    def end(self) -> None:
        for process in self._begun:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(bench: Bench, tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder, bench)
    try:
        cluster.address = cluster.scheduler()
        yield cluster
    finally:
        cluster.end()


def sessions(bench: Bench) -> int:
    return len(list((bench.run / "ledger").glob("*.jsonl")))


def closing_words(bench: Bench) -> str:
    (ledger,) = (bench.run / "ledger").glob("*.jsonl")
    last = json.loads(ledger.read_text().splitlines()[-1])
    return str(last.get("reason"))


def children(worker: psutil.Process, bench: Bench) -> list[psutil.Process]:
    return [process for process in bench.processes() if process.ppid() == worker.pid]


def test_a_lost_worker_costs_its_chunk_and_one_that_joins_works_along(
    bench: Bench, cluster: Cluster, inputs: Path, tmp_path: Path
) -> None:
    gate = bench.close_gate()
    lost = cluster.worker()
    client = bench.begin("run", "--dask", cluster.address)
    until(bench.commits)
    (child,) = children(lost, bench)
    cluster.worker()
    lost.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    gate.touch()
    said, complaints = client.communicate(timeout=300)
    assert client.returncode == 0, complaints
    assert "complete" in said
    assert "is gone; what it committed is kept" in complaints
    assert sessions(bench) == 2
    assert not bench.processes()
    alone = Bench(inputs, tmp_path / "alone")
    shutil.copytree(inputs / "planned", alone.run)
    assert alone.do("run").returncode == 0
    chunks = sorted(bench.run.glob("arrays.zarr/pinn/patches/c.*"))
    assert len(chunks) == 6
    for chunk in chunks:
        other = alone.run / chunk.relative_to(bench.run)
        assert chunk.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_workers_stop_when_whoever_sent_them_stops_or_dies(
    bench: Bench, cluster: Cluster, sent: int
) -> None:
    gate = bench.close_gate()
    worker = cluster.worker()
    client = bench.begin("run", "--dask", cluster.address)
    until(bench.commits)
    client.send_signal(sent)
    until(bench.asked)
    gate.touch()
    said, complaints = client.communicate(timeout=300)
    if sent == signal.SIGTERM:
        assert client.returncode == ExitCode.INCOMPLETE, complaints
        assert "received SIGTERM" in said
    until(lambda: not children(worker, bench))
    assert 0 < bench.commits() < 6
    assert "received SIGTERM" in closing_words(bench)
    assert worker.is_running(), "the cluster is not ours to end"


def test_a_window_closes_on_every_worker(bench: Bench, cluster: Cluster) -> None:
    bench.close_gate()
    for _ in range(2):
        cluster.worker()
    for window_s in windows_s():
        done = bench.do("run", "--dask", cluster.address, "--window", f"{window_s}s")
        assert done.returncode == ExitCode.INCOMPLETE, done.stderr
        until(lambda: not bench.processes())
        if sessions(bench):
            break


def test_a_scheduler_that_does_not_answer_is_named(bench: Bench) -> None:
    done = bench.do("run", "--dask", "tcp://127.0.0.1:9", "--window", "250s")
    assert done.returncode == ExitCode.FAILED
    assert "tcp://127.0.0.1:9" in done.stderr
    assert "dask scheduler" in done.stderr


def test_a_scheduler_that_dies_is_an_error_that_says_so_and_its_workers_stop(
    bench: Bench, cluster: Cluster
) -> None:
    gate = bench.close_gate()
    cluster.worker()
    client = bench.begin("run", "--dask", cluster.address)
    until(bench.commits)
    cluster.kill_scheduler()
    until(bench.asked)
    gate.touch()
    _, complaints = client.communicate(timeout=300)
    assert client.returncode == ExitCode.FAILED, complaints
    assert f"the Dask scheduler at {cluster.address} is gone" in complaints
    assert "run the same command again" in complaints
    assert "Traceback" not in complaints
    until(lambda: not bench.processes())
    assert 0 < bench.commits() < 6
    assert "received SIGTERM" in closing_words(bench)


def test_a_window_without_any_worker_says_that_none_has_connected(
    bench: Bench, cluster: Cluster
) -> None:
    for window_s in windows_s():
        done = bench.do("run", "--dask", cluster.address, "--window", f"{window_s}s")
        assert done.returncode == ExitCode.INCOMPLETE, done.stderr
        if "no worker of the cluster has connected" in done.stdout:
            break


def test_workers_here_and_there_are_not_mixed(bench: Bench) -> None:
    for more in (["--workers", "2"], ["--max-chunks", "2"]):
        done = bench.do("run", "--dask", "tcp://127.0.0.1:9", *more)
        assert done.returncode == ExitCode.USAGE, done.stderr
