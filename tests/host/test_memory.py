"""Is a limit of memory seen, and kept to?"""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from ptyrun.engine.integrity import verify
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import Closed
from ptyrun.engine.writer import WAITING_BYTES
from ptyrun.errors import ExitCode
from ptyrun.host import memory
from ptyrun.paths import RunPaths
from tests.engine.children import spawn, work_within
from tests.engine.toys import planned, toy_manifest

MIB = 2**20
ITEM_BYTES = 8 * 64 * 64

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="control groups and statm are Linux's"
)


def large_chunks(folder: Path) -> int:
    """Plan four chunks that each are too large to wait in numbers; give a chunk's size in bytes."""
    chunk_items = 1280
    assert chunk_items * ITEM_BYTES > 8 * WAITING_BYTES
    planned(folder, toy_manifest(4 * chunk_items, chunk_items, shape=(64, 64)))
    return chunk_items * ITEM_BYTES


@on_linux
def test_large_chunks_wait_for_each_other_where_memory_is_short(tmp_path: Path) -> None:
    chunk_bytes = large_chunks(tmp_path)
    # Room for two, with what judging them takes; an unbounded queue would want three or four.
    child = spawn(work_within, tmp_path, int(2.2 * chunk_bytes) + 16 * MIB, batch_items=16)
    child.join(300)
    assert child.exitcode == ExitCode.COMPLETE
    assert not verify(RunPaths(tmp_path))


@on_linux
def test_a_chunk_that_does_not_fit_at_all_is_an_explained_end(tmp_path: Path) -> None:
    chunk_bytes = large_chunks(tmp_path)
    child = spawn(work_within, tmp_path, chunk_bytes, batch_items=16)  # threads want some, too
    child.join(300)
    assert child.exitcode == ExitCode.FAILED
    (closed,) = (r for _, r in read_records(RunPaths(tmp_path)) if isinstance(r, Closed))
    assert "1280 items of arm 'one' do not fit into memory" in closed.reason
    assert not verify(RunPaths(tmp_path))


def group(folder: Path, limit: str, usage: int, cache: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\n")


def available(mount: Path, own: str) -> int:
    listed = mount.parent / "own"
    listed.write_text(own)
    return memory.available_bytes(mount, listed)


def test_a_containers_limit_counts_and_so_does_each_limit_above_it(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    group(mount / "queue", str(100 * MIB), 40 * MIB, cache=5 * MIB)
    group(mount / "queue" / "job", "max", 30 * MIB)
    assert available(mount, "0::/queue/job\n") == 65 * MIB
    group(mount / "queue" / "job", str(50 * MIB), 30 * MIB)
    assert available(mount, "0::/queue/job\n") == 20 * MIB
    group(mount / "queue" / "job", str(20 * MIB), 30 * MIB)
    assert available(mount, "0::/queue/job\n") == 0


def test_the_older_kind_of_control_groups_is_read_too(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    folder = mount / "memory" / "docker"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text(f"{64 * MIB}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{48 * MIB}\n")
    (folder / "memory.stat").write_text(f"total_inactive_file {8 * MIB}\n")
    assert available(mount, "4:memory:/docker\n0::/\n") == 24 * MIB


def test_without_limits_the_host_counts(tmp_path: Path) -> None:
    assert 0 < available(tmp_path / "none", "") <= psutil.virtual_memory().total
