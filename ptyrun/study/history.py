"""What was done to a scan file, step by step? The member ``_metadata`` of the study's files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.readers.npz import NpzFile

MEMBER = "_metadata"
SCHEMA_VERSION = "1.0.0"
STEPS = "data_transformations"


@dataclass(frozen=True)
class Transformation:
    """One step: which tool did what, when (ISO 8601, UTC, ending in Z), with which parameters."""

    tool: str
    timestamp: str
    operation: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class History:
    """What ``_metadata`` says of a file; whatever else stands in it is kept as it is."""

    facts: Mapping[str, Any]

    @classmethod
    def begun(cls) -> History:
        """The history of a file that has none."""
        return cls({"schema_version": SCHEMA_VERSION, STEPS: []})

    @classmethod
    def of(cls, file: NpzFile) -> History:
        """Read the history of *file*; a new one if it has none.

        Raises
        ------
        InputError
            If the member is damaged, or holds anything but one string.
        ValueError
            If the string is not JSON, or no JSON object.
        """
        return cls.read(file.text(MEMBER)) if MEMBER in file else cls.begun()

    @classmethod
    def read(cls, text: str) -> History:
        """Read the JSON of the member."""
        facts = json.loads(text)
        if not isinstance(facts, dict) or not isinstance(facts.get(STEPS, []), list):
            raise ValueError(f"{MEMBER} is not a JSON object with a list of {STEPS}")
        return cls(facts)

    @property
    def steps(self) -> tuple[Mapping[str, Any], ...]:
        """The steps on record, oldest first."""
        return tuple(each for each in self.facts.get(STEPS, []) if isinstance(each, dict))

    def has_step(self, tool: str) -> bool:
        """Whether *tool* is on record."""
        return any(each.get("tool") == tool for each in self.steps)

    def with_step(self, step: Transformation) -> History:
        """The same history, one step longer."""
        return History({**self.facts, STEPS: [*self.facts.get(STEPS, []), asdict(step)]})

    def as_member(self) -> NDArray[np.str_]:
        """The array to store: 0-d, of plain text, so that reading it never unpickles."""
        return np.array(json.dumps(self.facts, indent=2))
