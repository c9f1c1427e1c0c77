"""What does this session write down?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex

import google_crc32c

from ptyrun.engine.ledger import SUFFIX, Ledger
from ptyrun.engine.records import Closed, Opened, Record, encode
from ptyrun.errors import ExitCode
from ptyrun.host import durable
from ptyrun.host.deadline import DEADLINE
from ptyrun.host.processes import Process


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


def begin(
    ledger: Ledger,
    budget_s: float | None,
    started: Process,
    version: str,
    crew: str = "",
    startup_s: float | None = None,
) -> SessionLedger:
    """Open this process's own file, named after its place in the order of sessions.

    ``startup_s`` is what its window has lost before it; by default the age of the process.
    """
    durable.make_folder(ledger.paths.ledger)
    opened = Opened(
        manifest=ledger.manifest.digest,
        sequence=ledger.next_sequence(),
        host=started.host,
        pid=started.pid,
        process_started_s=started.started_s,
        boot_id=started.boot_id,
        budget_s=budget_s,
        startup_s=round(started.age_s() if startup_s is None else startup_s, 3),
        opened_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version,
        crew=crew,
        deadline_s=DEADLINE.at_s,
    )
    name = f"{opened.sequence:06d}-{started.host_slug}-{started.pid}-{token_hex(4)}"
    return SessionLedger(ledger, name, opened)
