"""Which changes of the code must the tests notice?"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("list.toml")
TIMEOUT_S = 120.0


class StaleError(Exception):
    """An entry of the list no longer fits the code."""


@dataclass(frozen=True)
class Mutant:
    """One small change that makes ptyrun wrong, and the tests that are to notice."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]
    timeout_s: float = TIMEOUT_S

    @contextmanager
    def applied(self, root: Path) -> Iterator[None]:
        """Change the file below *root*, and change it back."""
        text = self.text(root)
        path = root / self.file
        try:
            _write(path, text.replace(self.before, self.after))
            yield
        finally:
            _write(path, text)

    def text(self, root: Path) -> str:
        """Read the file as it is.

        Raises
        ------
        StaleError
            If what is to be changed does not stand there exactly once, or a test is gone.
        """
        path = root / self.file
        if not path.is_file():
            raise StaleError(f"{self.name}: there is no {self.file}")
        text = path.read_text(encoding="utf-8")
        if (found := text.count(self.before)) != 1:
            raise StaleError(f"{self.name}: found {found} times in {self.file}: {self.before!r}")
        for test in self.tests:
            file, *names = test.partition("[")[0].split("::")
            path = root / file
            if not path.exists() or (names and f"def {names[-1]}(" not in path.read_text("utf-8")):
                raise StaleError(f"{self.name}: there is no {test}")
        return text


def _write(path: Path, text: str) -> None:
    """Change a file and its time by a second: bytecode of the one before is told by that time."""
    time_s = int(path.stat().st_mtime) + 1
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time_s, time_s))


def read(path: Path = LIST) -> list[Mutant]:
    """Read the kept list; each file's part names the tests that are asked unless told otherwise."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    mutants = [
        Mutant(
            name=each["name"],
            file=part["file"],
            before=each["before"],
            after=each["after"],
            tests=tuple(each.get("tests", part["tests"])),
            timeout_s=float(each.get("timeout_s", TIMEOUT_S)),
        )
        for part in document["part"]
        for each in part["mutant"]
    ]
    names = [mutant.name for mutant in mutants]
    if twice := {name for name in names if names.count(name) > 1}:
        raise StaleError(f"two entries have one name: {', '.join(sorted(twice))}")
    return mutants
