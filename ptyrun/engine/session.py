"""What does this session write down?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import google_crc32c

from ptyrun.engine import durable
from ptyrun.engine.records import Closed, Opened, Record, encode

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
            self.append([replace(closed, at_s=round(closed.at_s, 3))])
            self._file.close()

    def abandon(self) -> None:
        """Let go of the file without a word: the disk refuses."""
        self._abandoned = True
        self._file.close()
