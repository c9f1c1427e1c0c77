"""Who holds a lock that the kernel does not keep: without locks in the file system, among hosts?

The holder makes a file with its name in it, and writes it again every second. A waiting process
judges a holder on its own machine by the process, and any other one by whether it *saw* the file
change: no clock of one host is ever compared with the time stamps of another one.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from secrets import token_hex
from typing import Self

from ptyrun.durations import format_duration
from ptyrun.host import partials
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.processes import Process, pid_namespace
from ptyrun.host.typed_json import build, parse_object

BEAT_S = 1.0
SILENT_S = 10.0  # seen unchanged for as long, a file's holder counts as dead
_MAX_BYTES = 4096


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, and since when."""

    process: Process
    pid_namespace: str
    since: str
    since_boot_s: float
    token: str

    @classmethod
    def current(cls) -> Self:
        """Name the process that asks."""
        return cls(
            process=Process.current(),
            pid_namespace=pid_namespace(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            since_boot_s=round(boot_clock_s(), 3),
            token=token_hex(4),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what a holder wrote; None if it wrote nothing that makes sense (yet)."""
        try:
            document = parse_object(data)
            document.pop("beat", None)
            return build(cls, document)
        except ValueError:
            return None

    def to_bytes(self, beat: int = 0) -> bytes:
        """One JSON document, of the same length for every *beat*."""
        return json.dumps({**asdict(self), "beat": f"{beat:012d}"}).encode() + b"\n"

    @property
    def is_visible(self) -> bool:
        """Whether its PID means here what it means there: same host, boot and container."""
        return self.process.is_here() and self.pid_namespace == pid_namespace()

    @property
    def is_gone(self) -> bool:
        """Whether the process certainly no longer runs."""
        return self.process.standing(self.pid_namespace).is_over

    @property
    def is_stopped(self) -> bool:
        """Whether the process is alive and stopped (Ctrl-Z, SIGSTOP)."""
        return self.is_visible and self.process.is_stopped()

    def __str__(self) -> str:
        age = f"since {self.since}"
        if self.process.is_here():
            age = f"for {format_duration(max(0.0, boot_clock_s() - self.since_boot_s))}"
        stopped = ", stopped" if self.is_stopped else ""
        return f"PID {self.process.pid} on {self.process.host}, {age}{stopped}"


class Sight(Enum):
    """What a look at a lock told."""

    FREE = "free"
    HELD = "held"
    UNDECIDED = "undecided"  # its file was not watched for long enough


class BeatingFile:
    """A file that this process makes, keeps writing, and removes at its end.

    Parameters
    ----------
    path : Path
    beat_s : float, optional
        How often it is written; None for a lock that is held for a moment only.
    """

    def __init__(self, path: Path, beat_s: float | None = BEAT_S) -> None:
        self.path = path
        self._beat_s = beat_s
        self._handle = -1
        self._holder: Holder | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def create(self) -> bool:
        """Make it; False if there is one. Raises what the disk says."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._handle = os.open(self.path, flags, 0o666)
        except FileExistsError:
            return False
        self._holder = Holder.current()
        self._write(0)
        self._ended.clear()
        if self._beat_s is not None:
            self._thread = threading.Thread(target=self._run, name="ptyrun-beat", daemon=True)
            self._thread.start()
        return True

    def _write(self, beat: int) -> None:
        assert self._holder is not None
        with suppress(OSError):
            os.pwrite(self._handle, self._holder.to_bytes(beat), 0)

    def _run(self) -> None:
        beat = 0
        while not self._ended.wait(self._beat_s):
            beat += 1
            self._write(beat)

    @property
    def is_open(self) -> bool:
        """Whether this object holds it."""
        return self._handle >= 0

    @property
    def is_there(self) -> bool:
        """Whether the file still stands under its name."""
        return self._handle >= 0 and stands_at(self._handle, self.path)

    def remove(self) -> None:
        """End the beat and take the file away, if it is still this one's."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._handle >= 0:
            with suppress(OSError):
                if self.is_there:
                    self.path.unlink()
            os.close(self._handle)
            self._handle = -1


def stands_at(handle: int, path: Path) -> bool:
    """Tell whether the open file is the one that stands at *path*."""
    try:
        mine, there = os.fstat(handle), path.stat()
    except OSError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


class Watch:
    """Looks at another process's beating file, again and again.

    Parameters
    ----------
    path : Path
    silent_s : float
        Seen unchanged for as long, its holder counts as dead.
    trusts_process : bool
        Believe a holder of this machine alive while its process runs, beat or no beat.
    """

    def __init__(
        self, path: Path, silent_s: float = SILENT_S, *, trusts_process: bool = True
    ) -> None:
        self.path = path
        self._silent_s = silent_s
        self._trusts_process = trusts_process
        self._seen: tuple[bytes, int, int] | None = None
        self._judged: tuple[bytes, int, int] | None = None
        self._since_s = 0.0
        self._has_beaten = False
        self.holder: Holder | None = None

    def look(self) -> Sight:
        """Look once. What cannot be read is judged as what does not change."""
        try:
            seen = self._content(self.path)
        except FileNotFoundError:
            self._seen, self._has_beaten, self.holder = None, False, None
            return Sight.FREE
        except OSError:
            seen = (b"", 0, 0)
        now_s = time.monotonic()
        self._judged = seen
        self.holder = Holder.from_bytes(seen[0])
        if self.holder is not None:
            if self.holder.is_gone:
                return Sight.FREE
            if self._trusts_process and self.holder.is_visible:
                return Sight.HELD
        if seen != self._seen:
            self._has_beaten = self._seen is not None
            self._seen, self._since_s = seen, now_s
        elif now_s - self._since_s >= self._silent_s:
            return Sight.FREE
        return Sight.HELD if self._has_beaten else Sight.UNDECIDED

    @staticmethod
    def _content(path: Path) -> tuple[bytes, int, int]:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(handle)
            data = os.read(handle, _MAX_BYTES) if stat.S_ISREG(status.st_mode) else b""
            return data, status.st_mtime_ns, status.st_ino
        finally:
            os.close(handle)

    def take_away(self) -> None:
        """Remove the file of a dead holder, unless it became another one meanwhile."""
        with suppress(OSError):
            if self._content(self.path) != self._judged:
                return
            aside = partials.name(self.path)
            self.path.rename(aside)  # of several that judge alike, one takes it away
            try:
                # Another one may have done so since, and made its own: that is put back.
                if self._content(aside) != self._judged:
                    os.link(aside, self.path)
            finally:
                aside.unlink()
