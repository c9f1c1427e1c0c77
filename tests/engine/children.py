"""Sessions in processes of their own, which may be killed."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from ptyrun.engine.index_arrays import write_index
from ptyrun.engine.store import create_arrays
from ptyrun.paths import RunPaths
from tests.engine.disk_model import Operation, Recorder
from tests.engine.toys import frames, toy_manifest, toy_run

KILLED = 137
CHANGES = {
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
    "shutil.rmtree",
}
WRITING = os.O_WRONLY | os.O_RDWR
SMALL = toy_manifest(24, 4)

# Forked from a process that has imported everything and done nothing: a session in a moment.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.engine.children"])


def spawn(target: Callable[..., None], *args: Any, **options: Any) -> ForkServerProcess:
    """Start *target* in a process of its own."""
    child = _context.Process(target=target, args=args, kwargs=options)
    child.start()
    return child


def work(folder: Path, **options: Any) -> None:
    """One session; its exit code is the process's."""
    sys.exit(int(toy_run(folder, **options).stop))


def work_within(folder: Path, data_bytes: int, **options: Any) -> None:
    """One session that may take no more than so much memory besides what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    limit = pages * resource.getpagesize() + data_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    work(folder, **options)


def die_before_change(folder: Path, survives: int, torn: bool = False, **options: Any) -> None:
    """One session that dies before its change of the disk number *survives*, as SIGKILL kills.

    With *torn*, a write that it dies in leaves half of its bytes.
    """
    left = itertools.count(survives, -1)
    die_at_changes(folder, left, torn)
    work(folder, **options)


def die_at_changes(folder: Path, left: Iterator[int], torn: bool) -> None:
    def hook(event: str, args: tuple[Any, ...]) -> None:
        if is_disk_change(event, args, folder) and next(left) == 0:
            os._exit(KILLED)

    def deadly(name: str) -> None:
        do = getattr(os, name)

        def wrapped(handle: int, *args: Any) -> Any:
            if _path_of(handle).startswith(str(folder)) and next(left) == 0:
                if torn and name == "write":
                    do(handle, args[0][: len(args[0]) // 2])
                os._exit(KILLED)
            return do(handle, *args)

        setattr(os, name, wrapped)

    for name in ("write", "fsync", "fdatasync"):  # no audit event tells of these
        deadly(name)
    sys.addaudithook(hook)


def plan_once(folder: Path) -> bool:
    """Plan unless that is done, as the stage does; tell whether it was to be done."""
    paths = RunPaths(folder)
    if paths.manifest.exists():
        return False
    create_arrays(paths, SMALL, replace=True)
    for arm in SMALL.arms:
        write_index(paths, frames(arm.name, arm.n_items))
    SMALL.save(paths.manifest)
    return True


def die_after_change(root: Path, what: str, die_at: int) -> None:
    """Plan, or compute, in ``root/run``; die right after the change of the disk number *die_at*."""
    journal = os.open(root / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    counted = itertools.count(1)
    write = os.write

    def note(operation: Operation) -> None:
        write(journal, json.dumps(operation).encode() + b"\n")
        if operation[0] != "open" and next(counted) == die_at:
            os._exit(KILLED)

    Recorder(root, note, setattr)
    if what == "plan":
        if plan_once(root / "run"):
            write(journal, b'["is planned"]\n')
    else:
        toy_run(root / "run", batch_items=4)


def is_disk_change(event: str, args: tuple[Any, ...], folder: Path) -> bool:
    if event == "open":
        path, mode, flags = args
        writes = bool((flags or 0) & WRITING) or bool(set(mode or "") & set("wax+"))
    else:
        path, writes = args[0] if args else "", event in CHANGES
    return writes and str(path).startswith(str(folder))


def _path_of(handle: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{handle}").readlink())
    except OSError:
        return ""


def die_in(item: int, items: range) -> None:
    """A trouble that kills the process which computes *item*."""
    if item in items:
        os.kill(os.getpid(), signal.SIGKILL)
