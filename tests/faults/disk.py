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
from typing import Final

SOURCE = Path(__file__).with_name("faulty_disk.c")
SHORT = "short"
KINDS: Final = ("open", "write", "sync", "rename", "mkdir", "unlink", "truncate", "lock")
_ANSWERS: Final = {
    "open": ("EIO", "ENOSPC", "EACCES", "EMFILE", "EROFS", "ESTALE", "ENFILE", "EBUSY", "EINTR"),
    "write": ("ENOSPC", SHORT, "EIO", "EDQUOT", "EFBIG", "EINTR", "ENXIO"),
    "sync": ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR"),
    "rename": ("EIO", "ENOSPC", "EACCES", "EXDEV", "EBUSY"),
    "mkdir": ("ENOSPC", "EACCES", "EDQUOT", "EMLINK", "EROFS"),
    "unlink": ("EACCES", "EIO", "EBUSY"),
    "truncate": ("EIO",),
    "lock": ("ENOLCK", "ENOSYS", "EIO"),
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
_TALLY = struct.Struct(f"={len(KINDS) + 1}q")


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


@dataclass(frozen=True)
class Tally:
    """How often each kind was called, and how often a call was refused."""

    calls: Mapping[str, int]
    faults: int

    @classmethod
    def read(cls, path: Path) -> Tally:
        """Read what the library counted."""
        *calls, faults = _TALLY.unpack(path.read_bytes())
        return cls(dict(zip(KINDS, calls, strict=True)), faults)
