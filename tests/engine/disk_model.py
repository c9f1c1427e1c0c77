"""A model of a disk that keeps only what was synced: bytes of files, and names in their folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

Operation = tuple[Any, ...]
Note = Callable[[Operation], None]


@dataclass
class Inode:
    """A file's bytes, as written and as they would be after a power loss; or a folder."""

    written: bytes = b""
    durable: bytes = b""
    is_folder: bool = False


@dataclass
class Disk:
    """Replays what a `Recorder` saw below *root*, which itself is there for good.

    A folder is an entry of its parent, as a file is: it is lost unless the parent was synced.
    """

    root: str
    names: dict[str, Inode] = field(default_factory=dict)
    durable_names: dict[str, Inode] = field(default_factory=dict)
    inodes: dict[int, Inode] = field(default_factory=dict)

    def apply(self, operation: str, *args: Any) -> None:
        match operation, args:
            case "create", (handle, path):
                self.inodes[handle] = self.names.setdefault(path, Inode())
            case "open", (handle, path):
                self.inodes[handle] = self.names.get(path, Inode())
            case "write", (handle, data):
                self.inodes[handle].written += bytes.fromhex(data)
            case "rename", (old, new) if old in self.names:
                self.names[new] = self.names.pop(old)
            case "mkdir", (path,):
                self.names[path] = Inode(is_folder=True)
            case "unlink", (path,):
                self.names.pop(path, None)
            case "sync", (handle,):
                self.inodes[handle].durable = self.inodes[handle].written
            case "sync folder", (folder,):
                self._sync_folder(folder)

    def _sync_folder(self, folder: str) -> None:
        def inside(path: str) -> bool:
            return path.rpartition("/")[0] == folder

        kept = {path: inode for path, inode in self.durable_names.items() if not inside(path)}
        kept.update({path: inode for path, inode in self.names.items() if inside(path)})
        self.durable_names = kept

    def after_power_loss(self, eager: str = "nothing") -> dict[str, bytes]:
        """Files that are left; those below *eager* kept even what was never synced."""
        left = {
            path: inode.durable
            for path, inode in self.durable_names.items()
            if not inode.is_folder and self._is_reached(path.rpartition("/")[0])
        }
        files = {path: inode for path, inode in self.names.items() if not inode.is_folder}
        left.update({p: i.written for p, i in files.items() if p.startswith(eager)})
        return left

    def _is_reached(self, folder: str) -> bool:
        while folder != self.root:
            if folder not in self.durable_names:
                return False
            folder = folder.rpartition("/")[0]
        return True


class Recorder:
    """Tells *note* every operation that changes the disk below one folder, in order.

    Parameters
    ----------
    folder : Path
    note : callable
        Told of each when it was done; it may end the process.
    put : callable
        Puts a function in the place of one of `os`: ``put(os, "open", function)``.
    """

    def __init__(self, folder: Path, note: Note, put: Callable[[Any, str, Any], None]) -> None:
        self._note = note
        self._folder = str(folder)
        self._handles: dict[int, str] = {}
        self._lock = RLock()  # what is noted in this order was done in this order
        for name in ("open", "write", "fsync", "fdatasync", "replace", "close", "mkdir", "unlink"):
            put(os, name, getattr(self, f"_{name}")(getattr(os, name)))
        # An alias that was taken when the module was imported.
        from ptyrun.host import durable

        put(durable, "_sync_data", os.fdatasync)

    def _is_inside(self, path: Any) -> bool:
        return str(path).startswith(f"{self._folder}/") or str(path) == self._folder

    def _open(self, do: Callable[..., int]) -> Callable[..., int]:
        def wrapped(path: Any, flags: int, *args: Any, **options: Any) -> int:
            with self._lock:
                handle = do(path, flags, *args, **options)
                if self._is_inside(path):
                    self._handles[handle] = str(path)
                    kind = "create" if flags & os.O_CREAT else "open"
                    if not Path(path).is_dir():
                        self._note((kind, handle, str(path)))
                return handle

        return wrapped

    def _write(self, do: Callable[..., int]) -> Callable[..., int]:
        def wrapped(handle: int, data: Any) -> int:
            with self._lock:
                written = do(handle, data)
                if handle in self._handles:
                    self._note(("write", handle, bytes(data)[:written].hex()))
                return written

        return wrapped

    def _fsync(self, do: Callable[..., None]) -> Callable[..., None]:
        def wrapped(handle: int) -> None:
            with self._lock:
                do(handle)
                path = self._handles.get(handle)
                if path is not None:
                    folder = Path(path).is_dir()
                    self._note(("sync folder", path) if folder else ("sync", handle))

        return wrapped

    _fdatasync = _fsync

    def _replace(self, do: Callable[..., None]) -> Callable[..., None]:
        def wrapped(old: Any, new: Any, **options: Any) -> None:
            with self._lock:
                do(old, new, **options)
                if self._is_inside(new):
                    self._note(("rename", str(old), str(new)))

        return wrapped

    def _close(self, do: Callable[..., None]) -> Callable[..., None]:
        def wrapped(handle: int) -> None:
            with self._lock:
                self._handles.pop(handle, None)
                do(handle)

        return wrapped

    def _mkdir(self, do: Callable[..., None]) -> Callable[..., None]:
        return self._naming("mkdir", do)

    def _unlink(self, do: Callable[..., None]) -> Callable[..., None]:
        return self._naming("unlink", do)

    def _naming(self, kind: str, do: Callable[..., None]) -> Callable[..., None]:
        def wrapped(path: Any, *args: Any, **options: Any) -> None:
            with self._lock:
                do(path, *args, **options)
                if self._is_inside(path):
                    self._note((kind, str(path)))

        return wrapped
