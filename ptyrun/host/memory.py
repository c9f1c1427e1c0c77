"""How much memory may this process still take?

A container's limit counts, not what its host has; so does a limit that a shell or a queue set
(``ulimit``). Where nothing can be read (not Linux), only the host counts.
"""

from __future__ import annotations

import ctypes
import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_OWN_PAGES = Path("/proc/self/statm")
_SIZE, _DATA = 0, 5  # columns of statm: pages of address space, and of data


def give_back() -> None:
    """Give the system back what was freed; the C library of Linux keeps some for itself."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: among many objects that stay, that takes long."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def available_bytes(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> int:
    """Say what can be allocated before something is refused, swapped out or killed.

    Parameters
    ----------
    cgroups, own : Path
        Where control groups are mounted, and which of them are this process's.

    Returns
    -------
    int
        The least that host, control groups and resource limits leave; never below 0. An estimate:
        others take memory meanwhile, and the kernel can take back file caches that it counts.
    """
    left = [psutil.virtual_memory().available, *_left_by_cgroups(cgroups, own), *_left_by_limits()]
    return max(0, min(left))


def _left_by_cgroups(mount: Path, own: Path) -> Iterator[int]:
    for line in _read(own).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:  # version 2
            names = ("memory.max", "memory.current", "inactive_file")
            yield from _left_along(mount, path, names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left_along(mount / "memory", path, names)


def _left_along(mount: Path, path: str, names: tuple[str, str, str]) -> Iterator[int]:
    """What a group and each group above it leave; a container sees its own as the root."""
    limit_name, usage_name, cache_name = names
    inner = mount / path.strip("/")
    for folder in dict.fromkeys((inner, *inner.parents, mount)):
        if not folder.is_relative_to(mount):
            continue
        limit, usage = _read(folder / limit_name).strip(), _read(folder / usage_name).strip()
        if not limit.isdecimal() or not usage.isdecimal():  # "max", or no such group
            continue
        words = dict(line.split(" ", 1) for line in _read(folder / "memory.stat").splitlines())
        yield int(limit) - int(usage) + int(words.get(cache_name, 0))


def _left_by_limits() -> Iterator[int]:
    pages = _read(_OWN_PAGES).split()
    if not pages:
        return
    for limit, column in ((resource.RLIMIT_AS, _SIZE), (resource.RLIMIT_DATA, _DATA)):
        allowed, _ = resource.getrlimit(limit)
        if allowed != resource.RLIM_INFINITY:
            yield allowed - int(pages[column]) * resource.getpagesize()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
