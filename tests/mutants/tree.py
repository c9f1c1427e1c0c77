"""Where does a changed ptyrun run, without a change to the one that is here?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0  # what pytest may take besides its tests, on a busy machine
NEEDED = ("ptyrun", "tests", "benchmarks", "examples", "setup.cfg", "pyproject.toml", "Makefile")


class Tree:
    """A copy of what the tests need; its processes, and theirs, import ptyrun from it."""

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        self.folder = folder / "tree"
        self.folder.mkdir()
        for name in NEEDED:
            source, target = root / name, self.folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, target)

    def pytest(self, tests: Sequence[str], timeout_s: float) -> tuple[int | None, str]:
        """Run tests until the first fails: pytest's exit code, None if they do not end.

        Those that are marked as slow are left out: what they notice, a sample must notice.
        """
        words = [
            "-q",
            "-x",
            "-n",
            "0",
            "-m",
            "not slow",
            "-p",
            "no:cacheprovider",
            f"--timeout={timeout_s:.0f}",
        ]
        return self.python(["-m", "pytest", *words, *tests], timeout_s + START_S)

    def python(self, words: Sequence[str], timeout_s: float) -> tuple[int | None, str]:
        """Run this Python in the tree: exit code and all that was said."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "COLUMNS": "200"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # it would compile all, for each mutant
        child = subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            said, _ = child.communicate()
            return None, said
        return child.returncode, said

    def is_the_one_imported(self) -> bool:
        """Whether processes that run here import ptyrun from here."""
        _, said = self.python(["-P", "-c", "import ptyrun; print(ptyrun.__file__)"], 60)
        return Path(said.strip()).is_relative_to(self.folder)
