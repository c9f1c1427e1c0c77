"""Does one device serve one run at a time, and does a refusal name who holds it?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.errors import BusyError, StorageError
from ptyrun.host import devices
from ptyrun.host.devices import Gpu, hold_devices, lock_folder, parse_gpus, visible_gpus

A, B = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-8932aaaa-0000-4106-c12f-20bd9faed9f6"
TWO_ALIKE = (Gpu(0, A, "NVIDIA H200"), Gpu(1, B, "NVIDIA H200"))
TWO_UNLIKE = (Gpu(0, A, "NVIDIA T400"), Gpu(1, B, "NVIDIA H200"))

HOLD = """
import sys, time
from pathlib import Path
from ptyrun.host.devices import hold_devices
with hold_devices(Path(sys.argv[1]), float(sys.argv[2]), True, crew=sys.argv[3]) as held:
    print(*held, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks in a folder of the test's own, on a machine without GPU."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return tmp_path


@contextmanager
def holder(run: Path, wait_s: float = 0.0, crew: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds what it is given, until its input ends."""
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", HOLD, str(run), str(wait_s), crew]
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_device_in_use_is_refused_by_the_name_of_its_holder(tmp_path: Path) -> None:
    with holder(tmp_path / "theirs") as other:
        assert first_line(other) == "cpu"
        with pytest.raises(BusyError) as refused, hold_devices(tmp_path / "mine", 0, True):
            pass
    assert f"PID {other.pid} on" in str(refused.value)
    assert str(tmp_path / "theirs") in str(refused.value)
    assert "--device-wait" in str(refused.value)
    assert "CUDA_VISIBLE_DEVICES" not in str(refused.value), "chooses no CPU"


def test_waiting_gets_the_device_once_its_holder_leaves(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        assert first_line(first) == "cpu"
        with holder(tmp_path, wait_s=30) as second:
            time.sleep(0.6)
            assert second.poll() is None
            first.communicate("")
            assert first_line(second) == "cpu"


def test_a_crew_shares_what_one_of_it_holds_even_if_all_had_to_wait(tmp_path: Path) -> None:
    with holder(tmp_path / "theirs") as other:
        assert first_line(other) == "cpu"
        with (
            holder(tmp_path, wait_s=30, crew="ours") as first,
            holder(tmp_path, wait_s=30, crew="ours") as second,
        ):
            time.sleep(0.3)
            other.communicate("")
            assert first_line(first) == first_line(second) == "cpu"
            with pytest.raises(BusyError), hold_devices(tmp_path, 0, True, crew="others"):
                pass


def test_a_killed_holder_leaves_nothing_locked(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        assert first_line(other) == "cpu"
        other.send_signal(signal.SIGKILL)
        other.wait()
    with hold_devices(tmp_path, 0, True) as held:
        assert held == ("cpu",)


def test_a_refused_run_lets_go_of_the_devices_it_already_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, f"0, {A}, NVIDIA H200\n")
    with holder(tmp_path) as other:
        assert first_line(other) == "cpu"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        with pytest.raises(BusyError, match="the CPU is in use"), hold_devices(tmp_path, 0, True):
            pass
        other.communicate("")
    with holder(tmp_path) as another:
        assert first_line(another) == f"{A} cpu"


def test_without_a_gpu_nothing_is_locked_unless_asked(tmp_path: Path) -> None:
    with hold_devices(tmp_path, 0, False) as held:
        assert held == ()
    assert not (tmp_path / "ptyrun").exists()


def test_locks_lie_in_a_folder_of_the_users_own(runtime: Path) -> None:
    folder = lock_folder()
    assert folder == runtime / "ptyrun"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_lock_folder_that_others_can_write_to_is_refused(runtime: Path, mode: int) -> None:
    (runtime / "ptyrun").mkdir()
    (runtime / "ptyrun").chmod(mode)
    with pytest.raises(StorageError, match="not belong to this user"):
        lock_folder()


def test_a_lock_folder_that_is_a_link_is_refused(runtime: Path) -> None:
    (runtime / "elsewhere").mkdir()
    (runtime / "ptyrun").symlink_to(runtime / "elsewhere")
    with pytest.raises(StorageError, match="not belong to this user"):
        lock_folder()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_lock_folder_of_somebody_else_is_refused(runtime: Path) -> None:
    (runtime / "ptyrun").mkdir(mode=0o700)
    os.chown(runtime / "ptyrun", 12345, 12345)
    with pytest.raises(StorageError, match="not belong to this user"):
        lock_folder()


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, (A, B)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("1", (B,)),
        ("1,0", (B, A)),
        ("0,0", (A,)),
        ("0,7,1", (A,)),
        (A, (A,)),
        ("GPU-8932f", (A,)),
        ("GPU-8932", ()),
        ("MIG-5c0d-1/2", ("MIG-5c0d-1/2",)),
        (" 1 , 0", (B, A)),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(
    visible: str | None, expected: tuple[str, ...]
) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert visible_gpus(environment, TWO_ALIKE) == expected


def test_indices_among_unlike_gpus_lock_all_unless_the_order_is_that_of_the_bus() -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "1"}
    assert visible_gpus(environment, TWO_UNLIKE) == (A, B)
    assert visible_gpus({**environment, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, TWO_UNLIKE) == (B,)


@given(
    st.lists(
        st.sampled_from(["0", "1", "2", A, B, "GPU-8932f", "-1", "", "x"]), min_size=1, max_size=5
    )
)
def test_only_gpus_that_exist_are_ever_named_and_each_once(entries: list[str]) -> None:
    found = visible_gpus({"CUDA_VISIBLE_DEVICES": ",".join(entries)}, TWO_ALIKE)
    assert set(found) <= {A, B}
    assert len(found) == len(set(found))


@given(st.text(max_size=80))
def test_any_listing_is_read_without_a_fault(listing: str) -> None:
    parse_gpus(listing)


def test_a_listing_of_nvidia_smi_is_read() -> None:
    listing = f"0, {A}, NVIDIA A100-SXM4-40GB\n1, {B}, NVIDIA RTX A6000, rev 2\n"
    assert parse_gpus(listing) == (
        Gpu(0, A, "NVIDIA A100-SXM4-40GB"),
        Gpu(1, B, "NVIDIA RTX A6000, rev 2"),
    )


def test_a_failing_nvidia_smi_means_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "No devices were found\n", code=6)
    assert devices.list_gpus() == ()


def fake_nvidia_smi(
    folder: Path, monkeypatch: pytest.MonkeyPatch, listing: str, code: int = 0
) -> None:
    """A program of that name on the path; the hardware is what is stood in for."""
    binary = folder / "bin" / "nvidia-smi"
    binary.parent.mkdir()
    binary.write_text(f"#!/bin/sh\nprintf '%s' '{listing}'\nexit {code}\n", encoding="utf-8")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.environ['PATH']}")
