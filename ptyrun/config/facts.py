"""How are settings written into a manifest, and read back from it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from ptyrun.config.options import entries

Fact = str | int | float | bool | None


@dataclass(frozen=True)
class Facts:
    """Settings that are written into a manifest and read back from it."""

    def facts(self) -> dict[str, Fact]:
        """As plain JSON values, by field name."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Read back what :meth:`facts` wrote; facts of other settings are passed over."""
        kinds = {entry.field: entry.kind for entry in entries(cls)}
        return cls(
            **{name: _typed(kind, facts[name]) for name, kind in kinds.items() if name in facts}
        )


def _typed(kind: type[Any], value: Any) -> Any:
    return kind(value) if issubclass(kind, StrEnum) else value


def _plain(value: Any) -> Fact:
    if isinstance(value, StrEnum):
        return value.value
    return str(value) if isinstance(value, Path) else value
