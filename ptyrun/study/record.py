"""What was made by a stage, and from what? And what came of one that was begun?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ptyrun.host.documents import Document


@dataclass(frozen=True)
class Record(Document):
    """Content of ``STAGE.stage.json``: written last, it makes a stage done.

    ``parameters`` are canonical JSON by name; ``inputs`` and ``outputs`` SHA-256 by name.
    ``seen_at`` is which file each of them was, by inode, size and times: one that still is that is
    not read again. ``log_at`` is the length of the stage's log and its SHA-256: later lines may be
    added to it. ``workspace`` is the folder that is the stage's as a whole, if it has one;
    ``notes_at`` says the same of what else vouches for that folder, its ledger first.
    """

    NAME: ClassVar[str] = "record of a stage"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = "`ptyrun study run` makes the stage again"

    stage: str
    parameters: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    made_at: str
    duration_s: float
    seen_at: Mapping[str, str] = field(default_factory=dict)
    workspace: str = ""
    log_at: str = ""
    notes_at: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt(Document):
    """Content of ``STAGE.attempt.json``: the stage was begun, from ``facts``, and is not done.

    ``error`` says how it failed, empty while it did not; ``cut_after_s`` are the seconds after
    which a window cut it off, if one did.
    """

    NAME: ClassVar[str] = "attempt of a stage"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = "delete it; `ptyrun study run` makes the stage again"

    stage: str
    facts: str
    begun_at: str
    error: str = ""
    log: str = ""
    cut_after_s: float | None = None
