"""Does a run wait for a device that another holds, and only if there is something to compute?"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptyrun.errors import ExitCode
from ptyrun.host.devices import hold_devices
from tests.paced import Bench, until, windows_s


def test_a_run_is_refused_or_waits_while_another_holds_its_device(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", bench.environment["XDG_RUNTIME_DIR"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with hold_devices(tmp_path / "another run", 0, lock_cpu=True):
        refused = bench.do("run", "--lock-cpu")
        assert refused.returncode == 1
        assert f"PID {os.getpid()} on" in refused.stderr
        assert "another run" in refused.stderr
        assert bench.commits() == 0
        patient = bench.begin("run", "--lock-cpu", "--device-wait", "1h")
        stderr = patient.stderr
        assert stderr is not None
        until(lambda: "waiting up to 1 h for the CPU" in stderr.readline())
        assert bench.commits() == 0
    _, said = patient.communicate(timeout=300)
    assert patient.returncode == 0, said
    assert bench.commits() == 6
    with hold_devices(tmp_path, 0, lock_cpu=True):
        assert bench.do("run", "--lock-cpu").returncode == 0, "nothing is left that needs a device"


@pytest.fixture
def in_use(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another run holds the CPU."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", bench.environment["XDG_RUNTIME_DIR"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with hold_devices(tmp_path / "another run", 0, lock_cpu=True):
        yield


@pytest.mark.usefixtures("in_use")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_wait_for_a_device_ends_with_the_window(bench: Bench, workers: str) -> None:
    for window_s in windows_s():
        window = ["--window", f"{window_s}s"]
        done = bench.do("run", "--lock-cpu", "--device-wait", "1h", "--workers", workers, *window)
        assert done.returncode == ExitCode.INCOMPLETE, done.stderr
        if "the window closed while the CPU was held by PID" in done.stdout:
            break
    assert "loading" not in done.stderr
    assert bench.commits() == 0


@pytest.mark.usefixtures("in_use")
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_the_wait_for_a_device_ends_with_a_signal(bench: Bench, sent: int, workers: str) -> None:
    patient = bench.begin("run", "--lock-cpu", "--device-wait", "1h", "--workers", workers)
    stderr = patient.stderr
    assert stderr is not None
    until(lambda: "waiting up to 1 h for the CPU" in stderr.readline())
    patient.send_signal(sent)
    said, complaints = patient.communicate(timeout=300)
    assert patient.returncode == ExitCode.INCOMPLETE, complaints
    assert ("interrupted" if sent == signal.SIGINT else "received SIGTERM") in said
    assert "loading" not in complaints
