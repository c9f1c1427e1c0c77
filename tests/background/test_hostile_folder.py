"""Do ptyrun's processes find ptyrun itself, whatever lies in the folder they are started from?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paced import Bench

# Where Python looks into the current folder first, each of these takes the place of another module.
SHADOWS = ("random.py", "ptyrun/__init__.py")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that holds modules of a person's own, named as ones that ptyrun needs."""
    folder = tmp_path / "elsewhere"
    (folder / "ptyrun").mkdir(parents=True)
    for name in SHADOWS:
        (folder / name).write_text("raise ImportError('a module of the current folder')\n")
    return folder


def call(bench: Bench, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in *folder*, whose own modules it does not see."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "ptyrun", *words],
        env=bench.environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def comparison(bench: Bench) -> list[str]:
    return [
        *["compare", f"--pinn_dir={bench.inputs / 'model'}", f"--output_dir={bench.run}-2"],
        *[f"--test_data={bench.inputs / 'scan.npz'}", "--n-test-groups=24"],
        *["--pinn-chunk-size=4", "--pinn-predict-batch-size=4"],
    ]


def test_a_session_starts_in_a_folder_with_modules_of_its_own(
    bench: Bench, elsewhere: Path
) -> None:
    started = call(bench, elsewhere, "start", str(bench.run))
    assert started.returncode == 0, started.stderr
    waited = call(bench, elsewhere, "wait", str(bench.run), "--timeout", "300s")
    assert waited.returncode == 0, waited.stderr
    argv = json.loads((bench.run / "process.json").read_text())["argv"]
    assert argv[1:5] == ["-P", "-m", "ptyrun", "start"], "as it can be called again from there"


@pytest.mark.parametrize("how", ["--until-complete", "--workers=2"])
def test_a_comparison_has_children_in_a_folder_with_modules_of_its_own(
    bench: Bench, elsewhere: Path, how: str
) -> None:
    done = call(bench, elsewhere, *comparison(bench), how)
    assert done.returncode == 0, done.stderr
    assert "results in" in done.stdout


def test_why_workers_could_not_work_is_said_also_to_who_asked_for_quiet(
    bench: Bench, tmp_path: Path
) -> None:
    # Found by the workers only: who sent for them loads no model.
    (tmp_path / "paced_predictor.py").write_text(
        "import os\nos.write(2, b'a library is gone\\n')\nos._exit(1)\n"
    )
    environment = bench.environment
    done = subprocess.run(
        [sys.executable, "-m", "ptyrun", *comparison(bench), "--workers=2", "--quiet"],
        env={**environment, "PYTHONPATH": f"{tmp_path}:{environment['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "a library is gone" in done.stdout
