"""What is computed becomes a commit: all of it, once, and nothing else."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from ptyrun.config import Fact
from ptyrun.engine import writer
from ptyrun.engine.integrity import verify
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import Committed, Failed
from ptyrun.engine.schedule import BACKOFF_S
from ptyrun.engine.window import Window
from ptyrun.engine.work import Event
from ptyrun.errors import ExitCode, StorageError
from ptyrun.paths import RunPaths
from tests.engine.children import spawn, work
from tests.engine.toys import ToyWork, decoded, expected, planned, run, toy_manifest, toy_run


def committed(folder: Path) -> list[int]:
    records = (record for _, record in read_records(RunPaths(folder)))
    return sorted(record.chunk for record in records if isinstance(record, Committed))


def chunk_file(folder: Path, chunk: int) -> Path:
    return RunPaths(folder).arrays / f"one/patches/c.{chunk}.0.0"


def test_what_the_disk_takes_of_a_group_counts_and_what_it_refuses_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = planned(tmp_path, toy_manifest(32, 8))
    write = os.write

    def full_for_chunk_2(handle: int, data: Any) -> int:
        if "/c.2.0.0" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, "full")
        return write(handle, data)

    told: list[int] = []

    def listen(event: Event) -> None:
        if event.kind == "committed" and event.chunk is not None:
            told.append(event.chunk)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_for_chunk_2)
        with pytest.raises(StorageError, match="disk is full"):
            toy_run(tmp_path, batch_items=32, progress=listen)
    assert committed(tmp_path) == told == [0, 1, 3]
    assert verify(RunPaths(tmp_path)) == []
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)


@pytest.mark.parametrize("when", ["computed", "judged"])
def test_a_chunk_that_another_worker_committed_meanwhile_is_not_written_again(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = planned(tmp_path, toy_manifest(32, 8))
    judged: list[range] = []
    seen: dict[int, tuple[int, int]] = {}

    def overtaken(items: range) -> None:
        if seen:
            return
        other = spawn(work, tmp_path, batch_items=8)
        while other.is_alive():  # and sees nothing of this session
            shutil.rmtree(RunPaths(tmp_path).claims, ignore_errors=True)
            time.sleep(0.01)
        assert other.exitcode == ExitCode.COMPLETE
        seen.update(written())

    def written() -> dict[int, tuple[int, int]]:
        found = {chunk: chunk_file(tmp_path, chunk).stat() for chunk in range(4)}
        return {chunk: (status.st_ino, status.st_mtime_ns) for chunk, status in found.items()}

    is_decided = threading.Event()
    commit = writer.Writer._commit

    def decide(self: writer.Writer, group: list[writer.Finished]) -> None:
        commit(self, group)
        is_decided.set()

    monkeypatch.setattr(writer.Writer, "_commit", decide)

    class Judged(ToyWork):
        def read(self, items: range) -> range:
            if items.start:  # whoever looks for the next chunk sees what others committed
                is_decided.wait(60)
            return super().read(items)

        def check(self, items: range, outputs: NDArray[Any]) -> Mapping[str, Fact]:
            judged.append(items)
            if when == "judged":
                overtaken(items)
            return super().check(items, outputs)

    trouble = overtaken if when == "computed" else None
    opened = partial(Judged, batch_items=8, trouble=trouble)
    assert run(RunPaths(tmp_path), manifest, opened, window=Window()).stop is ExitCode.COMPLETE
    assert written() == seen
    assert committed(tmp_path) == [0, 1, 2, 3]
    assert decoded(tmp_path) == expected(manifest)
    # What is committed already is not even judged: that it were refused would be no failure.
    assert judged == ([] if when == "computed" else [range(8)])


def test_failures_between_commits_do_not_end_a_session(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(192, 8))
    failed: set[int] = set()

    def every_other_fails_once(items: range) -> None:
        chunk = items.start // 8
        if chunk % 2 and chunk not in failed:
            while chunk - 1 not in committed(tmp_path):
                time.sleep(0.01)
            failed.add(chunk)
            raise RuntimeError("once")

    outcome = toy_run(tmp_path, batch_items=8, trouble=every_other_fails_once)
    assert outcome.stop is ExitCode.COMPLETE, outcome.reason
    assert len(failed) == 12
    assert decoded(tmp_path) == expected(manifest)


def test_a_failed_chunk_is_tried_again_only_after_a_pause(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(32, 8))

    def fails(items: range) -> None:
        if 24 in items:
            raise RuntimeError("always")

    assert toy_run(tmp_path, batch_items=8, trouble=fails).stop is ExitCode.FAILED
    records = (record for _, record in read_records(RunPaths(tmp_path)))
    first, second, third = (r.at_s for r in records if isinstance(r, Failed))
    assert second - first > 2 * BACKOFF_S - 0.05
    assert third - second > 4 * BACKOFF_S - 0.05


def test_outputs_that_wait_for_the_disk_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = planned(tmp_path, toy_manifest(128, 8))
    monkeypatch.setattr(writer, "WAITING_BYTES", 3 * 8 * 16 * 8)
    decided = threading.Event()
    waiting: list[int] = []
    offer = writer.Writer.offer

    def watched(self: writer.Writer, finished: writer.Finished) -> bool:
        taken = offer(self, finished)
        waiting.append(self._waiting_bytes)
        if not taken or len(waiting) == 16:
            decided.set()
        return taken

    class Slow(ToyWork):
        batch_items = 8

        def check(self, items: range, outputs: NDArray[Any]) -> Mapping[str, Fact]:
            decided.wait(60)
            return super().check(items, outputs)

    monkeypatch.setattr(writer.Writer, "offer", watched)
    monkeypatch.setattr(
        Slow,
        "__init__",
        lambda self, *a: ToyWork.__init__(self, *a, batch_items=8),  # type: ignore[misc]
    )
    outcome = run(RunPaths(tmp_path), manifest, Slow, window=Window())
    assert outcome.stop is ExitCode.COMPLETE, outcome.reason
    assert max(waiting) <= writer.WAITING_BYTES
    assert decoded(tmp_path) == expected(manifest)
