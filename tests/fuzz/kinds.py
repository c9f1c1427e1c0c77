"""What kinds of files are spoilt, and what is done with each? One trial is one spoilt file."""

from __future__ import annotations

import random
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

CODES = (0, 1, 2, 3, 75)


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    words: tuple[str, ...]
    code: int
    stderr: str

    @property
    def is_unforeseen(self) -> bool:
        """Whether nothing explained how it ended."""
        named = "a defect of ptyrun" in self.stderr or "Traceback (most recent" in self.stderr
        # `wait` ends as the session did.
        codes = range(-64, 256) if self.words[0] == "wait" else CODES
        return named or self.code not in codes


class Kind(ABC):
    """One kind of file: how a good one is made, how it is spoilt, and who reads it.

    Parameters
    ----------
    samples : Path
        Where good ones lie, made once.
    place : Path
        Where a process spoils its own.
    """

    NAME: ClassVar[str]
    # Its share of all trials.
    WEIGHT: ClassVar[int]
    NEEDS: ClassVar[str] = ""  # a framework, which takes seconds to import

    def __init__(self, samples: Path, place: Path) -> None:
        self.samples = samples
        self.place = place

    @classmethod
    @abstractmethod
    def make(cls, samples: Path) -> None:
        """Make good ones."""

    @abstractmethod
    def spoil(self, rng: random.Random) -> None:
        """Put a spoilt one in its place."""

    @abstractmethod
    def read(self, rng: random.Random) -> Iterator[Said]:
        """Let ptyrun do with it what it does with files of this kind."""

    @abstractmethod
    def is_good(self, said: Said) -> bool:
        """Whether a command ended well on a good one."""

    def renew(self) -> None:
        """Put good ones in the place."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.samples / self.folder(), self.place, symlinks=True)

    @classmethod
    def folder(cls) -> str:
        """Which of the samples it needs; kinds may share them."""
        return cls.NAME
