"""Does the wheel work where nothing but the core dependencies is installed?"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scans import write_reconstruction, write_scan

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_alone_compares_two_reconstructions(tmp_path: Path) -> None:
    source, venv = tmp_path / "source", tmp_path / "venv"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "docs/package-page.md", "LICENSE"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "ptyrun", source / "ptyrun")
    pip = [str(venv / "bin" / "python"), "-m", "pip"]
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    if subprocess.run(
        [*pip, "download", "-q", "--no-deps", "-d", str(tmp_path), "click"]
    ).returncode:
        pytest.skip("no package index can be reached: the core dependencies cannot be installed")
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("ptyrun-*.whl")
    pinned = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, "install", "-q", *pinned, str(wheel)], check=True)
    words = [f"--arm=name={name},reconstruction={name}.npz" for name in ("first", "second")]
    for seed, name in enumerate(("first", "second"), 3):
        write_reconstruction(tmp_path / f"{name}.npz", seed)
    write_scan(tmp_path / "scan.npz")
    command = [str(venv / "bin" / "ptyrun"), "compare", *words]
    command += ["--test_data=scan.npz", "--output_dir=run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/report/index.html").is_file()
