from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun.host import hdf5_look
from ptyrun.host.hdf5_look import fault_of

MUCH_BYTES = 1 << 30


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of verdicts for this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/ptyrun/hdf5-looked-through"


def written(path: Path, fill: Callable[[h5py.File], object]) -> Path:
    with h5py.File(path, "w", libver="latest") as file:
        file["group/array"] = np.arange(12.0).reshape(3, 4)
        file.create_dataset("packed", data=np.ones((64, 8)), chunks=(4, 8), compression="gzip")
        file["soft"] = h5py.SoftLink("/group/array")
        file.attrs["text"] = "some words"
        # As Keras writes them.
        file.attrs.create("plain", "tensorflow", dtype=h5py.string_dtype("ascii"))
        fill(file)
    return path


def external_storage(file: h5py.File) -> None:
    file.create_dataset("x", (8,), "f4", external=[("/etc/passwd", 0, 32)])


def view(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 4), "f8")
    layout[...] = h5py.VirtualSource(".", "group/array", (3, 4))
    file.create_virtual_dataset("view", layout)


def external_link(file: h5py.File) -> None:
    file["elsewhere"] = h5py.ExternalLink("other.h5", "/")


def large(file: h5py.File) -> None:
    file.create_dataset("large", (1 << 40,), "f8", chunks=(64,))


def test_an_honest_file_passes_by_its_path_and_by_its_content(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", lambda file: None)
    assert fault_of(path) == fault_of(path, MUCH_BYTES) == fault_of(path.read_bytes()) == ""


@pytest.mark.parametrize("fill", [view, external_link, large])
def test_a_model_may_neither_lead_elsewhere_nor_take_all_memory(
    fill: Callable[[h5py.File], object], tmp_path: Path
) -> None:
    path = written(tmp_path / "a.h5", fill)
    assert fault_of(path) == "", "a scan is asked for some of its arrays only"
    assert fault_of(path, MUCH_BYTES) != ""


def test_raw_data_in_another_file_is_refused(tmp_path: Path) -> None:
    assert "'/x' has its raw data" in fault_of(written(tmp_path / "a.h5", external_storage))


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert fault_of(tmp_path / "fifo") == "it is not a regular file"


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.h5", lambda file: None).read_bytes()
    for length in (0, 7, 60, len(whole) // 2, len(whole) - 1):
        assert fault_of(whole[:length]) != "", length


def test_any_changed_byte_ends_in_an_answer(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.h5", lambda file: None).read_bytes()
    generator = np.random.default_rng(2)
    for _ in range(12):
        changed = bytearray(whole)
        for at in generator.integers(0, len(whole), 6):
            changed[at] = generator.integers(0, 256)
        assert isinstance(fault_of(bytes(changed)), str)


PROGRAMS = {
    "loops": ("hdf5_child.CPU_S = 1; hdf5_child.limit()\nwhile True: pass", "CPU time"),
    "crashes": ("import os; os.kill(os.getpid(), 11)", "crash (SIGSEGV)"),
    "dies of a signal without a name": (
        "import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 3)",
        f"crash (signal {signal.SIGRTMIN + 3})",
    ),
    "says too much": ("while True: print('x' * 10_000)", "more than it should"),
    "says no texts": ("print('{}'); print('[7]')", "exit code 0"),
    "says lists in lists": ("print('[' * 50_000); print('7')", "exit code 0"),
    "says nothing": ("raise SystemExit(4)", "exit code 4"),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_the_death_of_what_looks_through_a_file_is_the_fault_of_the_file(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, said = PROGRAMS[case]
    child = tmp_path / "child.py"
    child.write_text(f"from ptyrun.host import hdf5_child\n{program}\n")
    monkeypatch.setattr(hdf5_look, "_CHILD", child)
    assert said in fault_of(written(tmp_path / "a.h5", lambda file: None))


def test_what_was_found_good_is_not_looked_through_again_until_it_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def must_not(*words: object, **more: object) -> None:
        raise AssertionError("a process is started")

    monkeypatch.setattr(hdf5_look, "SETTLED_S", -1.0)  # as if the file had been there for long
    path = written(tmp_path / "a.h5", lambda file: None)
    assert fault_of(path) == ""
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", must_not)
        assert fault_of(path) == ""
        with pytest.raises(AssertionError):
            fault_of(path, MUCH_BYTES)
    path.write_bytes(path.read_bytes()[:-8])
    assert (fault := fault_of(path)) != ""
    with monkeypatch.context() as patched:  # another reader asks, in the same process
        patched.setattr(subprocess, "Popen", must_not)
        assert fault_of(path) == fault
    monkeypatch.setattr(hdf5_look, "_refused", {})
    assert fault_of(path) == fault, "only what is good is remembered by the next process"


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    assert fault_of(written(tmp_path / "a.h5", lambda file: None)) == ""


def test_a_file_that_takes_too_long_takes_so_once_whatever_it_is_read_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5_look, "SETTLED_S", -1.0)
    monkeypatch.setattr(hdf5_look, "_refused", {})
    child = tmp_path / "child.py"
    child.write_text(f"from ptyrun.host import hdf5_child\n{PROGRAMS['loops'][0]}\n")
    monkeypatch.setattr(hdf5_look, "_CHILD", child)
    path = written(tmp_path / "a.h5", lambda file: None)
    fault = fault_of(path)
    assert "CPU time" in fault
    monkeypatch.setattr(subprocess, "Popen", None)
    assert fault_of(path, MUCH_BYTES) == fault
