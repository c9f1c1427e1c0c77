"""What did the checks of a hub find?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ptyrun.errors import PtyrunError

MAX_FAULTS = 20


@dataclass(frozen=True)
class Validation:
    """The outcome of one check: what it found wrong, and which facts it found.

    *path* is the artifact that the check is about, below the hub; *description* is upstream's,
    *about* says the same in words.
    """

    name: str
    description: str
    path: str
    faults: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    @property
    def error(self) -> str:
        """All that is wrong in one line."""
        shown = "; ".join(self.faults[:MAX_FAULTS])
        more = len(self.faults) - MAX_FAULTS
        return f"{shown}; and {more} more" if more > 0 else shown

    def to_json(self, hub: str) -> dict[str, Any]:
        """As the verification's document has it."""
        document = {
            "valid": self.valid,
            "name": self.name,
            "path": f"{hub}/{self.path}",
            "description": self.description,
        }
        return document | ({"error": self.error} if self.faults else {}) | dict(self.facts)


@dataclass(frozen=True)
class Verdict:
    """The outcome of all checks; *hint* is what a hub needs before they can be made, if it does."""

    hub: str
    validations: tuple[Validation, ...]
    hint: str = ""

    @property
    def all_valid(self) -> bool:
        """Whether every check found nothing."""
        return all(each.valid for each in self.validations)

    def to_json(self) -> str:
        """One JSON document; upstream's, with a name beside each description."""
        n_valid = sum(each.valid for each in self.validations)
        document = {
            "hub": self.hub,
            "all_valid": self.all_valid,
            "n_checks": len(self.validations),
            "n_valid": n_valid,
            "n_invalid": len(self.validations) - n_valid,
            "validations": [each.to_json(self.hub) for each in self.validations],
        }
        return json.dumps(document, indent=2)


def fault_of(error: PtyrunError) -> str:
    """Say in one line what an error says."""
    return f"{error.what}: {error.why}"


def first_difference(found: object, wanted: object, where: str = "") -> str:
    """Say where two JSON documents differ first, and in what; empty if they are equal."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            place = f"{where}.{key}" if where else str(key)
            if key not in found:
                return f"{place} is missing"
            if key not in wanted:
                return f"{place} should not be there"
            if said := first_difference(found[key], wanted[key], place):
                return said
        return ""
    if _is_list(found) and _is_list(wanted):
        assert isinstance(found, Sequence)
        assert isinstance(wanted, Sequence)
        if len(found) != len(wanted):
            return f"{where} has {len(found)} entries, not {len(wanted)}"
        pairs = enumerate(zip(found, wanted, strict=True))
        return next(filter(None, (first_difference(*p, f"{where}[{i}]") for i, p in pairs)), "")
    if json.dumps(found) == json.dumps(wanted):
        return ""
    return f"{where} is {json.dumps(found)[:60]}, not {json.dumps(wanted)[:60]}"


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def first_other_line(found: str, wanted: str) -> str:
    """Say in which line two texts differ first, and in what."""
    lines = found.splitlines(), wanted.splitlines()
    for number, (one, other) in enumerate(_side_by_side(*lines), 1):
        if one is None:
            return f"line {number} is missing: {other!r:.80}"
        if other is None:
            return f"line {number} should not be there: {one!r:.80}"
        if one != other:
            return f"line {number} is {one!r:.80}, not {other!r:.80}"
    return "the ends of its lines differ"


def _side_by_side(
    one: Sequence[str], other: Sequence[str]
) -> Iterator[tuple[str | None, str | None]]:
    for index in range(max(len(one), len(other))):
        yield (
            one[index] if index < len(one) else None,
            other[index] if index < len(other) else None,
        )
