"""What was done to a scan file, step by step? The member ``_metadata`` of the study's files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ptyrun.host.typed_json import parse_any
from ptyrun.ptycho.readers.npz import NpzFile

MEMBER = "_metadata"
SCHEMA_VERSION = "1.0.0"
STEPS = "data_transformations"
SPLIT = "train_test_split"


@dataclass(frozen=True)
class Transformation:
    """One step: which tool did what, when (ISO 8601, UTC, ending in Z), with which parameters."""

    tool: str
    timestamp: str
    operation: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Cut:
    """Where a scan was split into halves: along *axis*, x or y, at *point*, in pixels.

    ``counts`` are the frames of each half by its name, as far as they are told.
    """

    axis: str
    point: float
    counts: Mapping[str, int]


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
        facts = parse_any(text)
        if not isinstance(facts, dict) or not isinstance(facts.get(STEPS, []), list):
            raise ValueError(f"{MEMBER} is not a JSON object with a list of {STEPS}")
        return cls(facts)

    @property
    def steps(self) -> tuple[Mapping[str, Any], ...]:
        """The steps on record, oldest first."""
        return tuple(each for each in self.facts.get(STEPS, []) if isinstance(each, dict))

    @property
    def n_photons(self) -> float | None:
        """Mean number of photons per frame that was simulated; None if it does not say."""
        physics = self.facts.get("physics_parameters")
        told = physics.get("nphotons") if isinstance(physics, dict) else None
        return float(told) if _is_number(told) else None

    @property
    def cut(self) -> Cut | None:
        """Where the scan was split last; None if it does not say."""
        steps = [each for each in self.steps if each.get("operation") == SPLIT]
        facts = steps[-1].get("parameters") if steps else None
        if not isinstance(facts, dict):
            return None
        axis, point = facts.get("split_axis"), facts.get("split_point")
        if axis not in ("x", "y") or not _is_number(point):
            return None
        counts = {half: facts.get(f"{half}_count") for half in ("train", "test")}
        known = {half: count for half, count in counts.items() if type(count) is int}
        return Cut(axis, float(point), known)

    def has_step(self, tool: str) -> bool:
        """Whether *tool* is on record."""
        return any(each.get("tool") == tool for each in self.steps)

    def with_step(self, step: Transformation) -> History:
        """The same history, one step longer."""
        return History({**self.facts, STEPS: [*self.facts.get(STEPS, []), asdict(step)]})

    def as_member(self) -> NDArray[np.str_]:
        """The array to store: 0-d, of plain text, so that reading it never unpickles."""
        return np.array(json.dumps(self.facts, indent=2))


def _is_number(told: Any) -> TypeGuard[int | float]:
    return type(told) in (int, float) and math.isfinite(told)
