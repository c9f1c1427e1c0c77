"""Is a study in the background tracked from start to end?"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words
from ptyrun.study.files import HubFiles
from tests.study.hubs import write_base

PATIENCE_S = 300


def ptyrun(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ptyrun_words(*words), capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    base = write_base(tmp_path / "base.npz")
    return [
        *("--hub", str(tmp_path / "hub"), "--base-npz", str(base), "--dose", "1000"),
        *("--view", "dense", "--splits", "train", "--n-groups", "8", "--neighbor-count", "5"),
    ]


def test_a_study_in_the_background_is_waited_for_and_leaves_its_digests(
    tmp_path: Path, words: list[str]
) -> None:
    hub = tmp_path / "hub"
    began = ptyrun("study", "start", *words, "--window", "60s")
    assert began.returncode == 0, began.stderr
    assert f"ptyrun wait {hub}" in began.stdout
    again = ptyrun("study", "start", *words)
    done = ptyrun("wait", str(hub))
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert again.returncode in (ExitCode.COMPLETE, ExitCode.FAILED)
    found = json.loads((hub / "completion.json").read_text())
    name = "data/phase_d/dose_1000/dense/train.npz"
    assert found["artifacts"][name] == hashlib.sha256((hub / name).read_bytes()).hexdigest()
    assert "complete, by its content" in ptyrun("logs", str(hub)).stdout
    names = [each.name for each in HubFiles.of(hub).all()]
    assert name in names
    assert not [each for each in names if each.startswith(("process", "completion", "logs"))]


def test_a_study_in_the_background_is_stopped_and_leaves_no_process(
    tmp_path: Path, words: list[str]
) -> None:
    command = json.dumps([sys.executable, "-c", "import time; time.sleep(600)"])
    (tmp_path / "study.toml").write_text(
        f'[[stage]]\nname = "slow"\ncommand = {command}\noutputs = ["data/slow"]\n'
    )
    hub = tmp_path / "hub"
    began = ptyrun("study", "start", "--config", str(tmp_path / "study.toml"), *words)
    assert began.returncode == 0, began.stderr
    deadline_s = time.monotonic() + PATIENCE_S
    while "slow: begun" not in ptyrun("logs", str(hub)).stdout:
        assert time.monotonic() < deadline_s
    assert ptyrun("stop", str(hub)).returncode == 0
    assert ptyrun("wait", str(hub)).returncode == ExitCode.INCOMPLETE
    assert not (hub / "completion.json").exists()
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(hub) in text_of(p)]


def text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def test_what_cannot_be_made_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    done = ptyrun("study", "start", "--hub", str(tmp_path / "hub"), "--dose", "1000")
    assert done.returncode == ExitCode.USAGE
    assert "--base-npz" in done.stderr
    assert not (tmp_path / "hub").exists()
