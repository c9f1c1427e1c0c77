"""What do files and options say of a comparison, once they were looked at?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ptyrun.config import ArmConfig, Fact


@dataclass(frozen=True)
class ArmSurvey:
    """One arm as its files and options describe it."""

    config: ArmConfig
    label: str
    path: Path
    gridsize: int
    facts: Mapping[str, Fact]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """The whole comparison as its files and options describe it."""

    arms: tuple[ArmSurvey, ...]
    shared: Mapping[str, Fact]
    gridsize: int
