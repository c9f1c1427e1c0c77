"""Does the doctor say what is so, and leave nothing behind?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ptyrun import __version__
from ptyrun.door import doctor
from ptyrun.host import confinement
from tests.studies import ptyrun


def test_it_names_versions_confinement_locks_and_space_and_leaves_nothing(tmp_path: Path) -> None:
    done = ptyrun("doctor", str(tmp_path))
    assert done.returncode == 0, done.stderr
    topics = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert __version__ in topics["ptyrun"]
    assert {"numpy", "torch", "memory", "GPUs", "stopped", "models", "locks"} <= topics.keys()
    assert str(tmp_path) in topics["folder"]
    assert "the kernel frees them" in topics["locks"]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    done = ptyrun("doctor", str(tmp_path / "not/there"))
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("abi", range(confinement.NEWEST_ABI + 2))
def test_it_says_which_harms_this_kernel_stops(
    abi: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(confinement, "abi", lambda: abi)
    found = {finding.topic: finding for finding in doctor.examine(tmp_path)}
    stopped = found["stopped"].found
    assert ("by TCP" in stopped) == (abi >= 4)
    assert ("signal" in stopped) == (abi >= 6)
    assert "UDP" in found["not stopped"].found
    assert bool(found["confinement"].do) == (abi == 0)


def test_what_is_absent_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name == "tensorflow" else "1.0")
    found = {finding.topic: finding for finding in doctor.examine(tmp_path)}
    assert "Keras" in found["tensorflow"].found
    assert found["tensorflow"].do == "pip install 'ptyrun[tf]'"
    assert found["torch"].do == ""


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    found = [each for each in doctor.examine(Path("/proc")) if each.topic == "locks"]
    assert "cannot be tried" in found[0].found
    assert found[0].do


def test_it_imports_no_framework() -> None:
    code = """
import sys
from pathlib import Path
from ptyrun.door.doctor import examine
list(examine(Path(".")))
assert not {"tensorflow", "torch", "numpy", "zarr"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
