"""Do the make targets ask each run of a study what they say they ask?"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PTYRUN = """#!/usr/bin/env bash
echo "asked: $1 ${2##*/}"
case $2 in *damaged) exit 3 ;; *refused) exit 2 ;; *unfinished) exit 75 ;; esac
"""
FILES = ("manifest.json", "results.json", "process.json")


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A study with two runs, in a folder with blanks."""
    ptyrun = tmp_path / "ptyrun"
    ptyrun.write_text(PTYRUN, encoding="utf-8")
    ptyrun.chmod(0o755)
    hub = tmp_path / "a study's hub"
    make_run(hub / "analysis/dose_1000/dense/train", *FILES)
    make_run(hub / "analysis/dose_1000/dense/unfinished", "manifest.json")
    return hub


def make_run(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def make(target: str, hub: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    unset = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "RUN"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        ["make", "--old-file=.venv/.ready", target],
        cwd=ROOT,
        env={**kept, "HUB": str(hub), "PTYRUN": str(hub.parent / "ptyrun"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def asked(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = done.stdout.splitlines()
    return [line.removeprefix("asked: ") for line in lines if line.startswith("asked: ")]


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("status", ["train", "unfinished"]),
        ("preview", ["train", "unfinished"]),
        ("verify", ["train", "unfinished"]),
        ("report", ["train"]),
        ("logs", ["train"]),
    ],
)
def test_a_target_asks_every_run_of_the_hub_or_the_one_that_is_named(
    target: str, runs: list[str], hub: Path
) -> None:
    done = make(target, hub)
    assert done.returncode == 0, done.stderr
    assert asked(done) == [f"{target} {run}" for run in runs]
    one = make(target, hub, RUN=str(hub / "analysis/dose_1000/dense/train"))
    assert asked(one) == [f"{target} train"]


def test_damage_of_one_run_fails_the_target_after_all_were_asked(hub: Path) -> None:
    make_run(hub / "analysis/dose_1000/dense/damaged", "manifest.json")
    done = make("verify", hub)
    assert done.returncode == 2
    assert asked(done) == ["verify damaged", "verify train", "verify unfinished"]


def test_status_tells_of_a_run_that_no_window_could_plan(hub: Path) -> None:
    make_run(hub / "analysis/dose_1000/dense/refused", "cache/refused.json")
    done = make("status", hub)
    assert done.returncode == 0
    assert "status refused" in asked(done)
    assert "verify refused" not in asked(make("verify", hub))


def test_a_hub_without_runs_is_said(hub: Path) -> None:
    done = make("status", hub.parent / "nothing")
    assert done.returncode == 0
    assert "no run with manifest.json" in done.stdout


@pytest.mark.parametrize(
    ("target", "variables", "words"),
    [
        (
            "study",
            {"BASE": "b.npz", "DOSE": "1000 2000", "VIEW": "dense", "SPLITS": "train test"},
            "study run --hub HUB --dose 1000 2000 --view dense --splits train test "
            "--base-npz b.npz --window 7s",
        ),
        ("study", {}, "study run --hub HUB --window 7s"),
        ("study-status", {"CONFIG": "s.toml"}, "study status --hub HUB --config s.toml"),
        ("study-verify", {}, "study verify --hub HUB"),
    ],
)
def test_a_study_is_told_what_was_said_and_nothing_else(
    target: str, variables: dict[str, str], words: str, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOSE", "VIEW", "SPLITS", "BASE", "CONFIG"):
        monkeypatch.delenv(name, raising=False)
    (hub.parent / "ptyrun").write_text('#!/bin/sh\necho "asked: $*"; exit 75\n', encoding="utf-8")
    done = make(target, hub, WINDOW="7s", **variables)
    assert asked(done) == [words.replace("HUB", str(hub))]
    if target == "study":
        assert done.returncode == 0, "work that remains is not a failure"
        assert "Work remains" in done.stdout
