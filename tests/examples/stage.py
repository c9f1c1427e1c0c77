"""A study in a folder, and a stand-in for ptyrun that notes how loops call it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
LOOP = ROOT / "examples" / "loop"

PTYRUN = """#!/usr/bin/env bash
# Notes its arguments, then ends with the first exit code of the list, or as a signal says.
cd "$(dirname "$0")"
printf '%s\\n' "$@" "" >>calls
[ -e deaf ] || [ ! -e sleeps ] || trap 'exit 75' USR1 TERM
[ ! -e sleeps ] || { touch sleeping; while :; do sleep 0.05; done; }
read -r code advice <<<"$(head -n 1 codes)"
sed -i 1d codes
[ -z "$advice" ] || echo "$advice" >"$PTYRUN_ADVICE"
[ "$code" -lt 128 ] || kill -s "$((code - 128))" $$
exit "$code"
"""


class Stage:
    """A study in a folder with blanks, and a ptyrun that ends as told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = folder / "a study's hub"
        self.hub.mkdir()
        self.ptyrun = folder / "ptyrun"
        self.ptyrun.write_text(PTYRUN, encoding="utf-8")
        self.ptyrun.chmod(0o755)
        unset = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
        unset |= {"WINDOW", "DOSE", "VIEW", "CHUNK", "TRUST", "DEBUG_NAME", "RECON"}
        unset |= {"REQUIRE_DEBUG", "RUN", "N_GROUPS", "DEBUG_GROUPS", "DEBUG_CHUNK", "BATCH"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in unset},
            "HUB": str(self.hub),
            "PTYRUN": str(self.ptyrun),
        }

    def ends_with(self, *codes: int | str) -> None:
        """One line per window: its exit code, and what it leaves in $PTYRUN_ADVICE, if anything."""
        (self.folder / "codes").write_text("".join(f"{code}\n" for code in codes))

    def calls(self) -> list[list[str]]:
        noted = (self.folder / "calls").read_text(encoding="utf-8")
        return [call.splitlines() for call in noted.split("\n\n") if call]

    def do(self, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in words],
            cwd=ROOT,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def make(self, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.do("make", "--old-file=.venv/.ready", target, **variables)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def wait_for(path: Path, patience_s: float = 300) -> None:
    deadline = time.monotonic() + patience_s
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.02)


def end(process: subprocess.Popen[bytes]) -> None:
    """Leave no child of a test behind."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()
