"""How did a tracked session end?

``completion.json`` is the signal that others wait for: written last, atomically, and only after
the content was checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from ptyrun.engine import durable
from ptyrun.engine.documents import no_document, read_document, sealed


@dataclass(frozen=True)
class Counts:
    """How much of a run is committed."""

    groups_total: int
    groups_committed: int
    chunks_total: int
    chunks_committed: int


@dataclass(frozen=True)
class Completion:
    """Content of ``completion.json``.

    Attributes
    ----------
    session : str
        Of the ``process.json`` that it answers.
    exit_code : int
        As of the commands; 0 is only written after every byte was checked.
    reason : str
        For people.
    evidence : str
        What to read first if it is not 0: a blocker or the log, below the run's folder.
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

    SCHEMA: ClassVar[int] = 1

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

    def to_json(self) -> str:
        """One JSON document."""
        return sealed({"schema": self.SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read ``completion.json``.

        Raises
        ------
        SchemaError
            If the text is no such document, or newer than this ptyrun.
        """
        document = read_document(text, "completion.json", cls.SCHEMA)
        try:
            counts = document["counts"]
            return cls(**{**document, "counts": counts and Counts(**counts)})
        except (KeyError, TypeError) as error:
            raise no_document("completion.json", error) from error

    def save(self, path: Path) -> None:
        """Write ``completion.json``, all or nothing."""
        durable.write_atomic(path, self.to_json().encode())

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read ``completion.json``; None if no session came to an end."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return None
