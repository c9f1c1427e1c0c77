"""What is a process of foreign code told, and what runs in it before its fence?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ptyrun.child.fence import Yard


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Yard.around("model", (), is_confined=True)


def leave_code(home: Path, marker: Path) -> None:
    """Put what Python runs as it starts where it looks for that in a home."""
    touch = f"open({str(marker)!r}, 'w')"
    packages = home / f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    packages.mkdir(parents=True)
    (packages / "usercustomize.py").write_text(touch)
    (packages / "left.pth").write_text(f"import os; {touch}\n")


def test_what_a_model_left_in_its_home_does_not_run_before_the_fence(
    yard: Yard, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    leave_code(yard.cache, marker)
    # A virtual environment has no packages of a home; what it was made from has.
    python = getattr(sys, "_base_executable", sys.executable)
    told = {**yard.environment(os.environ), "PYTHONPATH": ""}
    subprocess.run([python, "-P", "-c", "import site"], env=told, check=True)
    assert not marker.exists()
    del told["PYTHONNOUSERSITE"]
    subprocess.run([python, "-P", "-c", "import site"], env=told, check=True)
    assert marker.exists() or python == sys.executable, "the test no longer bites"


@pytest.mark.parametrize(
    "name",
    [
        "MY_TOKEN",
        "DB_PASS",
        "SSHPASS",
        "pgpassword",
        "KEY",
        "SSHKEY",
        "AWS_ACCESS_KEY_ID",
        "XAUTHORITY",
    ],
)
def test_no_variable_that_sounds_like_a_secret_is_told(yard: Yard, name: str) -> None:
    told = yard.environment({name: "x", "OMP_NUM_THREADS": "1", "PATH": "/bin"})
    assert name not in told
    assert {"OMP_NUM_THREADS", "PATH"} < set(told)
