"""Is a run complete, and what did it leave? The content of ``completion.json``.

It exists only when all is done and every byte was checked: its presence says so. How a session
ended otherwise stands in ``process.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from ptyrun.comparison.counts import Counts
from ptyrun.host import durable
from ptyrun.host.documents import MAX_BYTES, no_document, read_document, sealed
from ptyrun.host.regular import read_text
from ptyrun.host.typed_json import build


@dataclass(frozen=True)
class Completion:
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
            return build(cls, document)
        except ValueError as error:
            raise no_document("completion.json", error) from error

    def save(self, path: Path) -> None:
        """Write ``completion.json``, all or nothing."""
        durable.write_atomic(path, self.to_json().encode())

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read ``completion.json``; None if the run is not complete."""
        try:
            return cls.from_json(read_text(path, MAX_BYTES))
        except FileNotFoundError:
            return None
