"""What does this session write down?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import google_crc32c

from ptyrun.engine.records import Closed, Opened, Record, encode
from ptyrun.errors import ExitCode, GoneError, StorageError
from ptyrun.host import durable
from ptyrun.paths import RunPaths

if TYPE_CHECKING:
    from ptyrun.engine.ledger import Ledger

SUFFIX = ".jsonl"


class SessionLedger:
    """The file of the session that asks. What is appended counts in *ledger* at once.

    Safe to use from several threads.
    """

    def __init__(self, ledger: Ledger, name: str, opened: Opened) -> None:
        self.name = name
        self.opened = opened
        self._ledger = ledger
        self._file = durable.AppendFile(ledger.paths.ledger / f"{name}{SUFFIX}")
        self._sum = ledger.adopt(name)
        self._abandoned = False
        self.append([opened])

    def append(self, records: Sequence[Record], *, sync: bool = True) -> None:
        """Add lines in one write; with *sync* they are on disk for good when this returns.

        Raises
        ------
        StorageError
            If the disk refuses: then nothing was added, and nothing counts.
        """
        data = b"".join(map(encode, records))
        with self._ledger.lock:
            self._file.append(data)
            self._sum.offset += len(data)
            self._sum.crc = google_crc32c.extend(self._sum.crc, data)
        if sync:  # without the lock: nobody has to wait for the disk
            self._file.sync()
        with self._ledger.lock:
            for record in records:
                self._ledger.apply(self._sum, record)

    def touched_s(self) -> float:
        """Return when its file was last written, by the clock of the file system it lies on."""
        return self._file.touched_s()

    @property
    def stretches(self) -> int:
        """How often it began to compute."""
        return self._sum.stretches

    @property
    def is_over(self) -> bool:
        """Whether it was closed, or let go of."""
        return self._abandoned or self._sum.closed is not None

    def close(self, closed: Closed) -> None:
        """Say why the session ends; a second call does nothing."""
        if not self.is_over:
            # In a hurry this line is left to the system: losing it loses no work.
            lasts = closed.exit_code != ExitCode.INCOMPLETE
            self.append([replace(closed, at_s=round(closed.at_s, 3))], sync=lasts)
            self._file.close()

    def abandon(self) -> None:
        """Let go of the file without a word: the disk refuses."""
        self._abandoned = True
        self._file.close()


def session_files(paths: RunPaths) -> list[Path]:
    """List the files of all sessions; what is no plain file was written by none."""
    try:
        with durable.storage_errors(paths.ledger, "read"), os.scandir(paths.ledger) as entries:
            names = [
                entry.name
                for entry in entries
                if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False)
            ]
    except GoneError:
        return []
    except StorageError as error:
        # Where the file stands further up, there is no run, and so no ledger.
        if isinstance(error.__cause__, NotADirectoryError) and not os.path.lexists(paths.ledger):
            return []
        raise
    return [paths.ledger / name for name in sorted(names)]
