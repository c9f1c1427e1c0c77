"""Does a real Snakemake make the stages of a study, and leave alone what a failed one has done?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ptyrun.host.children import ptyrun_words
from tests.study.hubs import write_base

SNAKEFILE = Path(__file__).parents[2] / "examples/snakemake/Snakefile"
PATIENCE_S = 300
STUDY = """
hub = "hub"
base-npz = "base.npz"
dose = [1000]
view = ["dense"]
splits = ["train"]
n-groups = 8
neighbor-count = 5

[[stage]]
name = "train"
command = ["sh", "-c", "echo >> {hub}/data/kept; test -e {here}/allowed && echo > {hub}/data/m"]
outputs = ["data/m"]
"""

# Leaves a chunk in the run's folder, and ends with the first exit code of a list.
STANDS_IN = """#!/bin/sh
cd "$(dirname "$0")"
mkdir -p results/run
echo "window $*" >>results/run/chunks
code=$(head -n 1 codes)
sed -i 1d codes
exit "$code"
"""


@pytest.fixture
def snakemake() -> str:
    found = shutil.which(
        "snakemake", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    )
    if found is None:
        pytest.skip("snakemake is not installed: pip install 'ptyrun[snakemake]'")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_base(tmp_path / "base.npz")
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def made(snakemake: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    ptyrun = " ".join(ptyrun_words())
    line = [snakemake, "--snakefile", str(SNAKEFILE), "--cores", "2", *words]
    return subprocess.run(
        [*line, "--config", f"ptyrun={ptyrun}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def compare(snakemake: str, folder: Path, **config: str) -> subprocess.CompletedProcess[str]:
    words = [f"{name}={value}" for name, value in config.items()]
    line = [snakemake, "--snakefile", str(SNAKEFILE.with_name("Snakefile.compare"))]
    return subprocess.run(
        [*line, "--cores", "1", "--config", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_a_comparison_is_a_rule_whose_run_outlives_closed_windows_and_failures(
    snakemake: str, tmp_path: Path
) -> None:
    ptyrun = tmp_path / "ptyrun"
    ptyrun.write_text(STANDS_IN)
    ptyrun.chmod(0o755)
    (tmp_path / "codes").write_text("75\n1\n")
    words = {"run": "results/run", "ptyrun": str(ptyrun), "words": "--n-test-groups 8"}
    failed = compare(snakemake, tmp_path, **words)
    assert failed.returncode != 0
    kept = tmp_path / "results/run/chunks"
    assert kept.read_text().count("window compare") == 2, "75 is repeated, an error is not"
    assert not (tmp_path / "done/results_run").exists()
    (tmp_path / "codes").write_text("75\n0\n")
    done = compare(snakemake, tmp_path, **words)
    assert done.returncode == 0, done.stderr
    assert kept.read_text().count("window compare") == 4, "what was there is there"
    assert (tmp_path / "done/results_run").exists()
    again = compare(snakemake, tmp_path, **words)
    assert "Nothing to be done" in again.stderr + again.stdout
    (tmp_path / "codes").write_text("0\n")
    changed = compare(snakemake, tmp_path, **{**words, "words": "--n-test-groups 9"})
    assert changed.returncode == 0, changed.stderr
    assert kept.read_text().count("window compare") == 5, "another option makes the rule again"


def test_stages_are_rules_and_a_failed_one_keeps_what_it_has_done(
    snakemake: str, folder: Path
) -> None:
    failed = made(snakemake, folder, "--keep-going")
    assert failed.returncode != 0
    assert (folder / "markers/overlap-dose_1000-dense-train.done").exists(), failed.stderr
    assert not (folder / "markers/train.done").exists()
    assert (folder / "hub/data/kept").exists(), "Snakemake deletes what it takes for outputs"
    (folder / "allowed").touch()
    done = made(snakemake, folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "hub/data/m").exists()
    status = subprocess.run(
        ptyrun_words("study", "status", "--config", "study.toml"),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    ).stdout
    assert "8 done" in status.splitlines()[0], status
