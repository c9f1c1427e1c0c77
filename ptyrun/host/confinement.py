"""What may this process still do? Nothing but compute, where the kernel can hold it to that.

Linux' Landlock, called without help: no package of its own, no rights, no container is needed. A
process fences itself in, before it imports what starts threads; its children are fenced in with it,
and neither can undo that. Where a kernel cannot, the process is *not confined*: that is said, and
is not a failure. This module imports nothing of ptyrun, so that a child can load it by its path.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

NEWEST_ABI = 6  # of those whose rights are known here
# The same on every architecture but alpha, whose kernel then says that there is no such call.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38


class _Right(IntFlag):
    """What Landlock can forbid below a folder; the comment says from which ABI."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13  # 2
    TRUNCATE = 1 << 14  # 3
    IOCTL_DEV = 1 << 15  # 5


_ALL_OF_ABI_1 = (1 << 13) - 1
_OF_FILES = (
    _Right.EXECUTE | _Right.WRITE_FILE | _Right.READ_FILE | _Right.TRUNCATE | _Right.IOCTL_DEV
)
_READING = _Right.EXECUTE | _Right.READ_FILE | _Right.READ_DIR
_NO_NODES = ~(_Right.MAKE_CHAR | _Right.MAKE_BLOCK)
_DEVICE = _Right.READ_FILE | _Right.READ_DIR | _Right.WRITE_FILE | _Right.IOCTL_DEV
_TCP = 0b11  # to bind, to connect
_SCOPES = 0b11  # abstract Unix sockets, signals

# Where systems keep programs, libraries and settings; homes and data lie elsewhere.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt"),
    # Of /etc what libraries ask for: the rest may hold keys.
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives"),
    *("/etc/localtime", "/etc/os-release", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf"),
    *("/etc/fonts", "/etc/OpenCL", "/etc/vulkan", "/etc/glvnd", "/etc/hosts", "/etc/mime.types"),
    *("/nix/store", "/gnu/store", "/sys/devices", "/sys/bus", "/sys/class", "/sys/fs/cgroup"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/driver"),
    *("/proc/devices", "/proc/modules", "/proc/version", "/proc/filesystems", "/etc/nvidia"),
    *("/dev/urandom", "/dev/random", "/dev/zero", "/run/opengl-driver"),
)
_NOWHERE = ("/dev/null", "/dev/full")
_GPUS = ("nvidia*", "dri", "kfd", "dxg")


@dataclass(frozen=True)
class Harm:
    """Something that foreign code may do, and from which ABI on Landlock stops it; None: never."""

    what: str
    from_abi: int | None


HARMS = (
    Harm("write, delete or create files elsewhere", 1),
    Harm("read homes and data that were not named", 1),
    Harm("cut files short elsewhere", 3),
    Harm("connect or listen by TCP", 4),
    Harm("command devices that were not named", 5),
    Harm("signal processes outside, or reach their abstract sockets", 6),
    Harm("send and receive by UDP, or by sockets that lie in folders", None),
    Harm("connect by Multipath TCP, or by TCP Fast Open where the system allows it", None),
    Harm("ask of files elsewhere whether they exist, how large they are, when they change", None),
    Harm("change permissions, owners, times or extended attributes of files elsewhere", None),
    Harm("slow the session down, or end it, by priorities and limits (prlimit)", None),
    Harm("use netlink, raw sockets, System V memory, keyrings, io_uring or new namespaces", None),
    Harm("use all cores, start processes without end, fill the folders that it may write", None),
)


@dataclass(frozen=True)
class Fence:
    """What a confined process may do with files.

    Attributes
    ----------
    reads : tuple of Path or int
        Files and folders, or descriptors of open ones, that may be read.
    writes : tuple of Path
        Folders in which anything may be done but making devices.
    programs : bool
        Whether Python, its packages and the system's libraries may be read and run.
    gpus : bool
        Whether GPUs may be used.
    """

    reads: tuple[Path | int, ...] = ()
    writes: tuple[Path, ...] = ()
    programs: bool = True
    gpus: bool = False


@dataclass(frozen=True)
class Confinement:
    """Whether a process is confined: by which ABI (0: not at all), and why not."""

    abi: int
    why_not: str = ""

    @property
    def stopped(self) -> tuple[str, ...]:
        """The harms that it cannot do."""
        return tuple(each.what for each in HARMS if each.from_abi and self.abi >= each.from_abi)

    @property
    def let_through(self) -> tuple[str, ...]:
        """The harms that it still can do."""
        return tuple(each.what for each in HARMS if each.what not in self.stopped)


def abi() -> int:
    """Which ABI of Landlock this kernel has; 0 if none that may be used."""
    with suppress(OSError):
        return _call(_CREATE_RULESET, None, 0, _VERSION)
    return 0


def confine(fence: Fence, most_abi: int = NEWEST_ABI) -> Confinement:
    """Fence this process and its children in, for good.

    Parameters
    ----------
    fence : Fence
    most_abi : int
        Use no newer rights than an older kernel would have.

    Returns
    -------
    Confinement
        Not confined where the kernel, or anything else, is in the way.
    """
    if sys.platform != "linux":
        return Confinement(0, f"Landlock is a part of Linux, not of {sys.platform}")
    if (found := min(abi(), most_abi)) < 1:
        return Confinement(0, "this kernel has no Landlock, or it is switched off")
    if (threads := _threads()) > 1:
        return Confinement(0, f"{threads} threads live already, which would stay free")
    try:
        _restrict(fence, found)
    except (OSError, ValueError) as error:
        return Confinement(0, f"Landlock refuses: {error}")
    return Confinement(found)


def limit(*, open_files: int | None = None, file_bytes: int | None = None) -> None:
    """Let this process have no more open files, and write none that is longer; no core dumps."""
    for kind, most in (
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        if most is not None:
            _, hard = resource.getrlimit(kind)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (most, most))


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - names alone
    except OSError:
        return 1


def _restrict(fence: Fence, found: int) -> None:
    handled = _rights_of(found)
    attributes = (ctypes.c_uint64 * 3)(handled, _TCP, _SCOPES)
    size = 8 * (1 + (found >= 4) + (found >= 6))
    ruleset = _call(_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    try:
        for place, rights in _rules(fence):
            _allow(ruleset, place, rights & handled)
        _no_new_privileges()
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _rights_of(found: int) -> int:
    rights = _ALL_OF_ABI_1
    for from_abi, right in ((2, _Right.REFER), (3, _Right.TRUNCATE), (5, _Right.IOCTL_DEV)):
        if found >= from_abi:
            rights |= right
    return rights


def _rules(fence: Fence) -> Iterator[tuple[Path | int, int]]:
    everything = _rights_of(NEWEST_ABI)
    if fence.programs:
        yield from ((place, _READING) for place in {*map(Path, _SYSTEM), *_of_python()})
    yield from ((place, _READING & ~_Right.EXECUTE) for place in fence.reads)
    yield from ((Path(place), _DEVICE & ~_Right.IOCTL_DEV) for place in _NOWHERE)
    yield from ((place, everything & _NO_NODES & ~_Right.IOCTL_DEV) for place in fence.writes)
    if fence.gpus:
        yield from ((place, _DEVICE) for name in _GPUS for place in Path("/dev").glob(name))
        yield Path("/dev/shm"), everything & _NO_NODES & ~_Right.IOCTL_DEV


def _of_python() -> Iterator[Path]:
    """Where this Python and its packages lie, and what its loader was told of libraries."""
    told = (*sys.path, sys.prefix, sys.base_prefix, sys.exec_prefix, Path(sys.executable).parent)
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    for place in filter(None, (*map(str, told), *libraries)):
        yield Path(os.path.realpath(place))


def _allow(ruleset: int, place: Path | int, rights: int) -> None:
    """Allow something at one place; one that does not exist needs no leave."""
    if isinstance(place, int):
        _add(ruleset, place, rights)
        return
    try:
        handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        _add(ruleset, handle, rights)
    finally:
        os.close(handle)


def _add(ruleset: int, handle: int, rights: int) -> None:
    if not stat.S_ISDIR(os.fstat(handle).st_mode):
        rights &= _OF_FILES
    if not rights:
        return
    rule = rights.to_bytes(8, sys.byteorder) + handle.to_bytes(4, sys.byteorder)
    _call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)


def _no_new_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _call(number: int, *arguments: object) -> int:
    """Make a system call; raises OSError as the kernel says."""
    libc = ctypes.CDLL(None, use_errno=True)
    words: Iterable[object] = (
        ctypes.c_long(each) if isinstance(each, int) else each for each in arguments
    )
    result: int = libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
