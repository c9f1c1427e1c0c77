"""A ptyrun as it may be one day: every schema one higher, and an arm has a field more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import ptyrun

VERSION = "9.9.9"
_SCHEMA = re.compile(r"^( *SCHEMA(?:: ClassVar\[int\])? = )(\d+)$", re.MULTILINE)
_LAST_FIELD = "    as_read: AsRead | None"
_NEW_FIELD = "    tilt_deg: float = 0.0\n"
_N_SCHEMAS = 11


@dataclass(frozen=True)
class NewerPtyrun:
    """A changed copy of the package in *folder*, run as a process of its own."""

    folder: Path

    @classmethod
    def copy(cls, folder: Path) -> NewerPtyrun:
        """Copy the package into *folder* and change the copy."""
        ignored = shutil.ignore_patterns("__pycache__")
        package = folder / "ptyrun"
        shutil.copytree(Path(ptyrun.__file__).parent, package, ignore=ignored)
        changed = 0
        for path in package.rglob("*.py"):
            text, n = _SCHEMA.subn(lambda found: f"{found[1]}{int(found[2]) + 1}", path.read_text())
            path.write_text(text)
            changed += n
        assert changed >= _N_SCHEMAS, "schemas are written otherwise now: nothing is newer here"
        _replaced(package / "engine/arm_plan.py", _LAST_FIELD, _NEW_FIELD + _LAST_FIELD)
        _replaced(package / "__init__.py", f'"{ptyrun.__version__}"', f'"{VERSION}"')
        return cls(folder)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command."""
        return self._python("-m", "ptyrun", *words)

    def runs_the_copy(self) -> bool:
        """Whether it is the changed copy that runs, and not the package itself."""
        asked = "import ptyrun.engine.arm_plan as it; print(it.__file__, it.ArmPlan.tilt_deg)"
        expected = f"{self.folder / 'ptyrun/engine/arm_plan.py'} 0.0"
        return self._python("-c", asked).stdout.strip() == expected

    def _python(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )


def _replaced(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1, f"{path} is written otherwise now"
    path.write_text(text.replace(before, after))
