"""Do the workers of a Dask cluster work on one run, come and go, and end with whoever sent them?"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from ptyrun.config import SessionOptions
from ptyrun.errors import ExitCode, UsageError
from tests.clusters import Cluster, running, without_ptyrun
from tests.paced import Bench, on_tmpfs, until, windows_s


@pytest.fixture
def cluster(bench: Bench, tmp_path: Path) -> Iterator[Cluster]:
    with running(tmp_path / "cluster", lambda: bench.environment) as cluster:
        yield cluster


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
    cluster.send_scheduler(signal.SIGKILL)
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


def test_a_cluster_without_workers_is_waited_for_as_long_as_the_window_lasts(
    bench: Bench, cluster: Cluster
) -> None:
    for window_s in windows_s():
        done = bench.do("run", "--dask", cluster.address, "--window", f"{window_s}s")
        assert done.returncode == ExitCode.INCOMPLETE, done.stderr
        if "no worker of the cluster has connected" in done.stdout:
            break
    assert "waiting for workers of the cluster" in done.stderr


@pytest.mark.slow
def test_windows_that_waited_for_workers_are_never_an_error_and_one_that_comes_late_works(
    bench: Bench, cluster: Cluster
) -> None:
    words = ("run", "--dask", cluster.address)
    for window_s in windows_s(12.0):
        if (
            "no worker of the cluster has connected"
            in bench.do(*words, f"--window={window_s}s").stdout
        ):
            break
    # Longer than what has just done: in a shorter one a busy machine may not get as far.
    codes = [bench.do(*words, f"--window={2 * window_s}s").returncode for _ in range(3)]
    assert codes == [ExitCode.INCOMPLETE] * 3
    client = bench.begin(*words, "--window", "300s")
    assert client.stderr is not None
    until(lambda: "waiting for workers" in str(client.stderr and client.stderr.readline()))
    cluster.worker()
    said, complaints = client.communicate(timeout=300)
    assert client.returncode == 0, complaints
    assert "complete" in said


ADAPTIVE = """
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None)
    cluster.adapt(minimum=0, maximum=2, interval="200ms")
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
    cluster.close()
"""


@pytest.mark.slow
def test_an_adaptive_cluster_grows_from_no_worker_to_as_many_as_find_work(
    bench: Bench, tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    script = tmp_path / "adaptive.py"
    script.write_text(ADAPTIVE)
    gate = bench.close_gate()
    pipe = subprocess.PIPE
    line = [sys.executable, str(script)]
    with subprocess.Popen(
        line, stdin=pipe, stdout=pipe, env=bench.environment, cwd=tmp_path, text=True
    ) as cluster:
        assert cluster.stdout is not None
        client = bench.begin("run", "--dask", cluster.stdout.readline().strip())
        until(lambda: sessions(bench) == 2)
        gate.touch()
        said, complaints = client.communicate(timeout=300)
        cluster.communicate("")
    assert client.returncode == 0, complaints
    assert "complete" in said


def has_namespaces() -> bool:
    probe = ["unshare", "--mount", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_a_worker_that_sees_another_folder_under_the_path_is_refused_by_name(
    bench: Bench, cluster: Cluster
) -> None:
    if not has_namespaces():
        pytest.skip("no mount namespace can be made here: a copy of the run cannot be hidden")
    cluster.worker(before=on_tmpfs(bench.run, "as it is"))
    done = bench.do("run", "--dask", cluster.address)
    assert done.returncode == ExitCode.FAILED, done.stderr
    assert f"does not see the folder {bench.run}" in done.stderr
    assert "none of 1 worker" in done.stderr
    assert not (bench.run / "ledger").exists()
    cluster.worker()
    while (done := bench.do("run", "--dask", cluster.address)).returncode:
        assert done.returncode == ExitCode.FAILED, "the other one has not connected yet"
    assert "does not see the folder" in done.stderr, "and the other one goes on"
    assert not list((bench.run / "claims").glob("meeting*"))


@pytest.mark.slow
def test_a_worker_without_ptyrun_is_named(bench: Bench, cluster: Cluster, tmp_path: Path) -> None:
    cluster.worker(PYTHONPATH=without_ptyrun(tmp_path))
    done = bench.do("run", "--dask", cluster.address)
    assert done.returncode == ExitCode.FAILED, done.stderr
    assert "does not have this version of ptyrun: No module named 'ptyrun'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_each_worker_computes_on_the_devices_that_it_was_started_with(
    bench: Bench, cluster: Cluster
) -> None:
    gate = bench.close_gate()
    shown = {"GPU-of-the-first", "GPU-of-the-second"}
    workers = [cluster.worker(CUDA_VISIBLE_DEVICES=name) for name in sorted(shown)]
    client = bench.begin("run", "--dask", cluster.address)
    until(lambda: all(children(worker, bench) for worker in workers))
    begun = [children(worker, bench)[0].environ() for worker in workers]
    gate.touch()
    _, complaints = client.communicate(timeout=300)
    assert client.returncode == 0, complaints
    assert {each["CUDA_VISIBLE_DEVICES"] for each in begun} == shown


@pytest.mark.slow
def test_a_cluster_of_this_machine_is_made_for_the_session_and_ends_with_it(bench: Bench) -> None:
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    gate = bench.close_gate()
    client = bench.begin("run", "--dask", "local:2")
    until(lambda: sessions(bench) == 2)
    begun = psutil.Process(client.pid).children(recursive=True)
    gate.touch()
    said, complaints = client.communicate(timeout=300)
    assert client.returncode == 0, complaints
    assert "complete" in said
    until(lambda: not any(process.is_running() for process in begun))


def has_committed_or_ended(bench: Bench, client: subprocess.Popen[str]) -> bool:
    return bool(bench.commits()) or client.poll() is not None


@pytest.mark.slow
def test_a_scheduler_that_does_not_move_any_more_does_not_hold_the_window_open(
    bench: Bench, cluster: Cluster
) -> None:
    bench.close_gate()
    cluster.worker()
    for window_s in windows_s(40.0):
        client = bench.begin("run", "--dask", cluster.address, f"--window={window_s}s")
        until(partial(has_committed_or_ended, bench, client))
        if bench.commits():
            break
    cluster.send_scheduler(signal.SIGSTOP)
    said, complaints = client.communicate(timeout=300)
    cluster.send_scheduler(signal.SIGCONT)
    assert client.returncode == ExitCode.INCOMPLETE, said + complaints
    until(lambda: not bench.processes())


def test_workers_here_and_there_are_not_mixed(bench: Bench) -> None:
    for more in (["--workers", "2"], ["--max-chunks", "2"]):
        done = bench.do("run", "--dask", "tcp://127.0.0.1:9", *more)
        assert done.returncode == ExitCode.USAGE, done.stderr


@pytest.mark.parametrize("address", ["local:0", "local:", "local:many", "local:-1", " "])
def test_a_cluster_of_no_workers_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="--dask"):
        SessionOptions(dask=address)
