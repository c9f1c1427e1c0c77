"""Is a run complete, and what did it leave? The content of ``completion.json``.

It exists only when all is done and every byte was checked: its presence says so. How a session
ended otherwise stands in ``process.json``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ptyrun.comparison.counts import Counts
from ptyrun.comparison.tracked import check_ending, check_texts
from ptyrun.host.documents import Document

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Completion(Document):
    """Content of ``completion.json``.

    Attributes
    ----------
    session : str
        Of the ``process.json`` whose session completed the run.
    exit_code : int
        0; an older ptyrun also wrote of sessions that ended otherwise.
    reason : str
        For people.
    evidence : str
        Empty; what an older ptyrun named to be read first.
    manifest_digest : str
    counts : Counts or None
        None if the ledger cannot be trusted.
    artifacts : mapping
        SHA-256 of every file that people use, by its path below the run's folder. A folder's name
        ends with a slash and its digest is that of what ``sha256sum`` prints for its sorted files.
    windows : int
        How many windows the session took.
    started_at, finished_at : str
        UTC.
    """

    NAME: ClassVar[str] = "completion.json"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = (
        "delete it: it only says that the run is complete; start a session again"
    )

    session: str
    exit_code: int
    reason: str
    evidence: str
    manifest_digest: str
    counts: Counts | None
    artifacts: Mapping[str, str]
    windows: int
    started_at: str
    finished_at: str

    def check(self) -> None:
        """Refuse names, paths and numbers that no session writes."""
        check_ending(self.exit_code, self.evidence, self.windows, self.counts)
        check_texts(session=self.session, started_at=self.started_at, finished_at=self.finished_at)
        for name, digest in self.artifacts.items():
            if not _SHA256.fullmatch(digest):
                raise ValueError(f"{name!r:.200} has no SHA-256 there")
