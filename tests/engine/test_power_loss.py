"""A model of a disk that keeps only what was synced, asked after every single operation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

import google_crc32c
import pytest

from ptyrun.engine.records import BadLineError, Committed, decode
from ptyrun.paths import RunPaths
from tests.engine.toys import planned, toy_manifest, toy_run


@dataclass
class Inode:
    """A file's bytes: as written, and as they would be after a power loss."""

    written: bytes = b""
    durable: bytes = b""


@dataclass
class Disk:
    """Replays what `Recorder` saw; only what was synced is durable."""

    names: dict[str, Inode] = field(default_factory=dict)
    durable_names: dict[str, Inode] = field(default_factory=dict)
    open: dict[int, str] = field(default_factory=dict)
    inodes: dict[int, Inode] = field(default_factory=dict)

    def apply(self, operation: str, *args: Any) -> None:
        match operation, args:
            case "open", (handle, path):
                self.open[handle] = path
                self.inodes[handle] = self.names.setdefault(path, Inode())
            case "write", (handle, data):
                self.inodes[handle].written += data
            case "rename", (old, new) if old in self.names:
                self.names[new] = self.names.pop(old)
            case "sync", (handle,):
                self.inodes[handle].durable = self.inodes[handle].written
            case "sync folder", (folder,):
                self._sync_folder(folder)

    def _sync_folder(self, folder: str) -> None:
        def inside(path: str) -> bool:
            return str(Path(path).parent) == folder

        kept = {path: inode for path, inode in self.durable_names.items() if not inside(path)}
        kept.update({path: inode for path, inode in self.names.items() if inside(path)})
        self.durable_names = kept

    def after_power_loss(self, eager: str) -> dict[str, bytes]:
        """What is left; files below *eager* kept even what was never synced."""
        left = {path: inode.durable for path, inode in self.durable_names.items()}
        left.update({p: i.written for p, i in self.names.items() if p.startswith(eager)})
        return left


class Recorder:
    """Notes, in order, every operation that changes the disk below one folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operations: list[tuple[Any, ...]] = []
        self._folder = str(folder)
        self._handles: dict[int, str] = {}
        self._lock = RLock()
        for name in ("open", "write", "fsync", "fdatasync", "replace", "close"):
            wrapped = getattr(self, f"_{name}")(getattr(os, name))
            monkeypatch.setattr(os, name, wrapped)
        # An alias that was taken when the module was imported.
        monkeypatch.setattr("ptyrun.engine.durable._sync_data", os.fdatasync)

    def _note(self, *operation: Any) -> None:
        with self._lock:
            self.operations.append(operation)

    def _open(self, do: Callable[..., int]) -> Callable[..., int]:
        def wrapped(path: Any, flags: int, *args: Any, **options: Any) -> int:
            handle = do(path, flags, *args, **options)
            if str(path).startswith(self._folder):
                self._handles[handle] = str(path)
                if flags & os.O_CREAT:
                    self._note("open", handle, str(path))
            return handle

        return wrapped

    def _write(self, do: Callable[..., int]) -> Callable[..., int]:
        def wrapped(handle: int, data: Any) -> int:
            if handle in self._handles:
                self._note("write", handle, bytes(data))
            return do(handle, data)

        return wrapped

    def _fsync(self, do: Callable[..., None]) -> Callable[..., None]:
        def wrapped(handle: int) -> None:
            do(handle)
            path = self._handles.get(handle)
            if path is not None:
                folder = Path(path).is_dir()
                self._note(*(("sync folder", path) if folder else ("sync", handle)))

        return wrapped

    _fdatasync = _fsync

    def _replace(self, do: Callable[..., None]) -> Callable[..., None]:
        def wrapped(old: Any, new: Any, **options: Any) -> None:
            do(old, new, **options)
            if str(new).startswith(self._folder):
                self._note("rename", str(old), str(new))

        return wrapped

    def _close(self, do: Callable[..., None]) -> Callable[..., None]:
        def wrapped(handle: int) -> None:
            self._handles.pop(handle, None)
            do(handle)

        return wrapped


def claimed(left: dict[str, bytes], paths: RunPaths) -> Iterator[Committed]:
    """Commits in what is left of the ledger."""
    for path, data in left.items():
        if Path(path).parent == paths.ledger:
            for line in data.split(b"\n"):
                try:
                    record = decode(line)
                except BadLineError:
                    continue
                if isinstance(record, Committed):
                    yield record


def false_claims(operations: list[tuple[Any, ...]], paths: RunPaths, eager: str) -> tuple[int, int]:
    """How many claims there are over all moments, and how many of them are false."""
    disk = Disk()
    false = true = 0
    for operation in operations:
        disk.apply(*operation)
        left = disk.after_power_loss(eager)
        for record in claimed(left, paths):
            data = left.get(str(paths.arrays / record.key), b"")
            whole = f"{google_crc32c.value(data[:-4]):08x}" == record.crc32c
            false += not (whole and len(data) == record.length)
            true += 1
    return true, false


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    planned(folder, toy_manifest(48, 4))
    with monkeypatch.context() as patch:
        recorder = Recorder(folder, patch)
        toy_run(folder, batch_items=8)
    return recorder.operations


@pytest.mark.parametrize("eager_ledger", [False, True])
def test_no_power_loss_leaves_a_false_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eager_ledger: bool
) -> None:
    operations = recorded(tmp_path, monkeypatch)
    paths = RunPaths(tmp_path)
    eager = str(paths.ledger) if eager_ledger else "nothing"
    assert len(operations) > 60
    true, false = false_claims(operations, paths, eager)
    assert true > 12
    assert false == 0


@pytest.mark.parametrize("omitted", ["sync", "sync folder"])
def test_the_model_notices_when_a_sync_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, omitted: str
) -> None:
    operations = recorded(tmp_path, monkeypatch)
    paths = RunPaths(tmp_path)
    kept = [operation for operation in operations if operation[0] != omitted]
    _, false = false_claims(kept, paths, str(paths.ledger))
    assert false > 0
