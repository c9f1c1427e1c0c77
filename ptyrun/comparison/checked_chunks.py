"""Which committed chunks were read whole, and are untouched since?

Results stand for the chunks that they were made from. Whoever reads a chunk and finds what the
ledger names notes its file's inode, size and times: a change of content changes ctime, which no
user program can set back. A hint, believed only by the user who wrote it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress

from ptyrun.engine import ownership
from ptyrun.engine.arm_plan import chunk_key
from ptyrun.engine.progress import ArmProgress
from ptyrun.errors import PtyrunError
from ptyrun.host import durable
from ptyrun.host.regular import read_text
from ptyrun.host.remembered import identity
from ptyrun.paths import RunPaths

MAX_BYTES = 2**27
_DIGITS = 16
_UNKNOWN = "0" * _DIGITS


class CheckedChunks:
    """What is known of a run's chunks, for those who would otherwise read all of them again."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._arrays = os.fspath(paths.arrays)
        self._marks: dict[str, bytearray] = {}  # _DIGITS per chunk, one after the other
        self._has_news = False
        with suppress(OSError, ValueError, KeyError, AttributeError):
            known = ownership.read_signed(read_text(paths.checked, MAX_BYTES))
            self._marks = {arm: bytearray(text.encode()) for arm, text in known["chunks"].items()}

    def mark(self, arm: ArmProgress, chunk: int) -> str:
        """Tell a chunk's file as it is, before it is read, from what it was or will be."""
        try:
            found = os.lstat(f"{self._arrays}/{chunk_key(arm.plan, chunk)}")
        except OSError:
            return _UNKNOWN
        text = f"{identity(found)} {arm.lengths[chunk]} {arm.crcs[chunk]}"
        return hashlib.blake2b(text.encode(), digest_size=_DIGITS // 2).hexdigest()

    def note(self, arm: ArmProgress, chunk: int, mark: str) -> None:
        """Say that the chunk with this mark was read, and is the one that was committed."""
        marks = self._marks.setdefault(arm.plan.name, bytearray())
        marks += _UNKNOWN.encode() * (arm.plan.n_chunks - len(marks) // _DIGITS)
        marks[chunk * _DIGITS : (chunk + 1) * _DIGITS] = mark.encode()
        self._has_news = True

    def touched(self, arm: ArmProgress) -> Iterator[int]:
        """Give the committed chunks that nobody read since they were last touched."""
        marks = self._marks.get(arm.plan.name, b"")
        for chunk, is_committed in enumerate(arm.committed):
            if not is_committed or arm.lacks_on_purpose(chunk):
                continue
            known = marks[chunk * _DIGITS : (chunk + 1) * _DIGITS].decode()
            if known in ("", _UNKNOWN) or known != self.mark(arm, chunk):
                yield chunk

    def save(self) -> None:
        """Keep what is known, where the disk takes it."""
        if not self._has_news:
            return
        chunks = {arm: marks.decode() for arm, marks in self._marks.items()}
        with suppress(OSError, PtyrunError):
            self._paths.cache.mkdir(parents=True, exist_ok=True)
            text = ownership.signed({"schema": 1, "chunks": chunks})
            durable.write_hint(self._paths.checked, text.encode())
        self._has_news = False
