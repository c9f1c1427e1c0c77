"""What is a comparison asked for? Named by its words and its scan as it lies there, unread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ptyrun import __version__
from ptyrun.comparison.fingerprints import identity
from ptyrun.config import CompareConfig
from ptyrun.host.documents import digest_of


def words(config: CompareConfig) -> str:
    """Digest the words of a comparison."""
    return digest_of(_plain(asdict(config)))


def plan(config: CompareConfig) -> str:
    """Digest what a plan is asked for.

    Raises
    ------
    OSError
        If there is no scan.
    """
    return digest_of([__version__, str(Path.cwd()), words(config), identity(config.scan)])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, int | float | bool | None) else str(value)
