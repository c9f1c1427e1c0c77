"""Does ptyrun work on a POSIX machine that is not Linux? Its own calls are hidden."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ptyrun.host.children import ptyrun_words
from tests.scans import write_reconstruction, write_scan

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300
IMPORT_ALL = """
import importlib, os, sys
from pathlib import Path
import ptyrun
assert sys.platform == "darwin" and not hasattr(os, "sched_getaffinity")
root = Path(ptyrun.__file__).parent
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root.parent).with_suffix("").parts
    if "backends" in parts or parts[-1] in ("__main__", "hdf5_child"):
        continue
    importlib.import_module(".".join(parts))
print("all")
"""


def elsewhere(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command where Linux' calls are hidden; its children see none either."""
    path = os.pathsep.join((str(ROOT / "tests/elsewhere"), str(ROOT)))
    return subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_no_module_needs_a_call_of_linux_to_be_imported(tmp_path: Path) -> None:
    done = elsewhere([sys.executable, "-c", IMPORT_ALL], tmp_path)
    assert (done.returncode, done.stdout) == (0, "all\n"), done.stderr


def test_a_comparison_is_made_without_calls_of_linux(tmp_path: Path) -> None:
    write_scan(tmp_path / "scan.npz")
    for seed, name in enumerate(("first", "second"), 3):
        write_reconstruction(tmp_path / f"{name}.npz", seed)
    arms = [f"--arm=name={name},reconstruction={name}.npz" for name in ("first", "second")]
    words = ["compare", *arms, "--test_data=scan.npz", "--output_dir=run", "--no-vector-plots"]
    done = elsewhere(ptyrun_words(*words, "--window=300s"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/report/index.html").is_file()
    done = elsewhere(ptyrun_words("verify", "run"), tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_doctor_answers_there(tmp_path: Path) -> None:
    done = elsewhere(ptyrun_words("doctor"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cores" in done.stdout
