"""How does a disk refuse one call? A small library, preloaded, that fails the n-th of a kind."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import ptyrun

SOURCE = Path(__file__).with_name("faulty_disk.c")
OURS = Path(ptyrun.__file__).parent
SHORT = "short"
KINDS: Final = (
    *("open", "write", "sync", "rename", "mkdir", "unlink", "truncate", "lock"),
    *("list", "entry", "stat", "read"),
)
LOOKING: Final = ("list", "entry", "stat", "read")  # they change nothing
_ANSWERS: Final = {
    "open": ("EIO", "ENOSPC", "EACCES", "EMFILE", "EROFS", "ESTALE", "ENFILE", "EBUSY", "EINTR"),
    "write": ("ENOSPC", SHORT, "EIO", "EDQUOT", "EFBIG", "EINTR", "ENXIO"),
    "sync": ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR"),
    "rename": ("EIO", "ENOSPC", "EACCES", "EXDEV", "EBUSY"),
    "mkdir": ("ENOSPC", "EACCES", "EDQUOT", "EMLINK", "EROFS"),
    "unlink": ("EACCES", "EIO", "EBUSY"),
    "truncate": ("EIO",),
    "lock": ("ENOLCK", "ENOSYS", "EIO"),
    "list": ("EACCES", "EIO", "ESTALE", "EMFILE"),
    "entry": ("EIO", "ESTALE"),  # a listing that breaks off half way
    "stat": ("ESTALE", "EIO", "EACCES"),
    "read": ("EIO", "ESTALE"),
}
# A disk that is full, or failed, mostly stays so.
_LASTING: Final = {("write", "ENOSPC"), ("open", "EROFS"), ("sync", "EIO"), ("lock", "ENOSYS")}
# By kind, what a call may answer on a disk that is full, failing, forbidden, remote; and whether
# it does so from then on.
WAYS: Final[Mapping[str, list[tuple[str, bool]]]] = {
    kind: [
        (answer, lasts)
        for answer in answers
        for lasts in (False, True)
        if not lasts or (kind, answer) in _LASTING
    ]
    for kind, answers in _ANSWERS.items()
}
# By kind, from where each call came, the first one first.
Sites = dict[str, list[str]]

_WATCHER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_long)
_WATCHERS: list[object] = []  # what C calls must not be collected
_TALLY = struct.Struct(f"={len(KINDS) + 1}q4096s")


@dataclass(frozen=True, order=True)
class Fault:
    """The *number*-th call of *kind* ends in *answer*; with *lasts*, each later one does, too."""

    kind: str
    number: int
    answer: str
    lasts: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.number}{' lasts' * self.lasts}: {self.answer}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read what `str` gives."""
        where, answer = text.split(":")
        kind, number, *lasts = where.split()
        return cls(kind, int(number), answer.strip(), bool(lasts))


NONE = Fault("open", 0, "EIO")


def reason_for_none() -> str:
    """Say why the library cannot be had here; empty if it can."""
    if sys.platform != "linux":
        return "calls are counted by a preloaded library, on Linux"
    return "" if shutil.which("cc") else "no C compiler (cc) to build the preloaded library"


def build(folder: Path) -> Path:
    """Build the library in *folder*."""
    library = folder / "faulty_disk.so"
    words = ["cc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    subprocess.run([*words, "-ldl"], check=True)
    return library


def arm(fault: Fault, below: Path, tally: Path) -> None:
    """From now on let *fault* happen below a folder, in this process and all that it starts."""
    answer = fault.answer if fault.answer == SHORT else str(getattr(errno, fault.answer))
    os.environ |= {
        "FAULTS_BELOW": str(below.resolve()),
        "FAULTS_KIND": fault.kind,
        "FAULTS_AT": str(fault.number),
        "FAULTS_HOW": answer,
        "FAULTS_LASTS": str(int(fault.lasts)),
        "FAULTS_TALLY": str(tally),
    }
    ctypes.CDLL(None).faults_arm()


def watch() -> Sites:
    """From now on note from where in ptyrun each call comes; the lists grow while work is done."""
    sites: Sites = {kind: [] for kind in KINDS}

    def told(kind: int, number: int) -> None:
        found = sites[KINDS[kind]]
        found += [""] * (number - len(found))  # "": those of another process
        found[number - 1] = _site(sys._getframe(1))

    _WATCHERS.append(_WATCHER(told))
    ctypes.CDLL(None).faults_watch(_WATCHERS[-1])
    return sites


def _site(frame: FrameType | None) -> str:
    """Every line of ptyrun that led there, and the function that made the call."""
    last = frame.f_code.co_name if frame else ""
    lines = []
    while frame:
        path = Path(frame.f_code.co_filename)
        if OURS in path.parents:
            lines.append(f"{path.relative_to(OURS).with_suffix('')}:{frame.f_lineno}")
        frame = frame.f_back
    return " ".join([last, *lines])


@dataclass(frozen=True)
class Tally:
    """How often a call was refused, and about which path (or in which folder) the first time."""

    faults: int
    path: str

    @classmethod
    def read(cls, path: Path) -> Tally:
        """Read what the library counted."""
        *_, faults, refused = _TALLY.unpack_from(path.read_bytes())
        return cls(faults, refused.split(b"\0")[0].decode())
