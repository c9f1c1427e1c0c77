"""Is the demo a study that goes on after whatever ended it?"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.commands import ptyrun

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
NAMES = ("chart", "make_base", "make_demo")
RUN = "analysis/dose_100000/dense/test"
PTYRUN = """#!{python}
# Notes its words, then ends with the first exit code of the list; the comparison's log is there.
import json, os, pathlib, sys
folder = pathlib.Path({folder!r})
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
run = folder / "hub/{run}"
run.mkdir(parents=True, exist_ok=True)
(run / "comparison.log").write_text("=== STDOUT ===\\nfound\\n\\n\\n=== STDERR ===\\n")
if sys.argv[1] == "study":
    code, *rest = (folder / "codes").read_text().split()
    (folder / "codes").write_text(" ".join(rest))
    os.kill(os.getpid(), -int(code)) if int(code) < 0 else sys.exit(int(code))
"""


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The demo's driver, and a ptyrun that ends as told."""
    monkeypatch.syspath_prepend(DEMO)
    *_, module = [importlib.import_module(name) for name in NAMES]
    script = tmp_path / "ptyrun"
    words = {"python": sys.executable, "folder": str(tmp_path), "run": RUN}
    script.write_text(PTYRUN.format(**words))
    script.chmod(0o755)
    monkeypatch.setattr(module, "PTYRUN", script)
    yield module
    for name in NAMES:
        sys.modules.pop(name, None)


def made(demo: ModuleType, folder: Path, *codes: int) -> list[list[str]]:
    """Let the demo go through these exit codes; what it called."""
    (folder / "codes").write_text(" ".join(map(str, codes)))
    demo.make_demo(folder / "hub")
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def test_a_study_that_is_done_is_called_once(
    demo: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (call,) = made(demo, tmp_path, 0)
    assert call[:2] == ["study", "run"]
    assert call[call.index("--hub") + 1] == str(tmp_path / "hub")
    assert "found\npage:" in capfd.readouterr().out


def test_what_was_killed_is_called_again_however_often(demo: ModuleType, tmp_path: Path) -> None:
    first, *others = made(demo, tmp_path, *[-signal.SIGKILL] * 5, 0)
    assert others == [first] * 5


def test_windows_that_close_are_followed_by_longer_ones(demo: ModuleType, tmp_path: Path) -> None:
    calls = made(demo, tmp_path, 75, 75, 75, 0)
    assert [call[call.index("--window") + 1] for call in calls] == ["60s", "120s", "240s", "480s"]


def test_what_fails_is_tried_alone_then_repaired_then_begun_afresh_then_given_up(
    demo: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        made(demo, tmp_path, 1, 3, 1, 1)
    assert ended.value.code == 1
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert [call[0] for call in calls] == ["study", "study", "verify", "study", "study"]
    assert [call[-1] for call in calls if call[0] == "study"][1:] == ["1"] * 3
    assert len([*tmp_path.glob("hub/archive/comparisons-until-*/1-test")]) == 1
    assert len(made(demo, tmp_path, 0)) == len(calls) + 1


def test_equal_settings_are_an_equal_base_and_it_is_written_once(
    demo: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "new/base.npz"
    demo.make_base(path)
    before, identity = path.read_bytes(), path.stat().st_ino
    demo.make_base(path)
    assert path.stat().st_ino == identity
    path.write_bytes(before[:-1])
    demo.make_base(path)
    assert path.read_bytes() == before
    with np.load(path) as base:
        frames = [len(base[f"{axis}coords"]) for axis in "xy"]
        assert base["objectGuess"].shape == (378, 224)
        assert base["probeGuess"].shape == (64, 64)
    assert frames == [56 * 28] * 2


def test_the_study_of_the_demo_has_one_comparison_and_its_gate(tmp_path: Path) -> None:
    words = ("--config", str(DEMO / "study.toml"), "--hub", str(tmp_path / "hub"))
    (tmp_path / "base.npz").write_bytes(b"")
    done = ptyrun("study", "plan", *words, "--base-npz", str(tmp_path / "base.npz"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ptyrun study stage compare-") == 2


@pytest.mark.slow
def test_the_demo_comes_through_a_kill_and_ends_at_once_when_called_again(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    words = [sys.executable, str(DEMO / "make_demo.py"), "--hub", str(hub)]
    first = subprocess.run(words, capture_output=True, text=True, timeout=3000, check=False)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "killed with SIGKILL after" in first.stdout
    results = (hub / RUN / "results.json").read_bytes()
    environment = {**os.environ, "HUB": str(hub), "DOSE": "100000", "CHUNK": "64", "TRUST": "pinn"}
    environment["PTYRUN"] = str(Path(sys.executable).with_name("ptyrun"))
    for again in (words, [str(DEMO.parent / "loop/window.sh"), "test", "full"]):
        done = subprocess.run(
            again, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "killed" not in done.stdout
        assert (hub / RUN / "results.json").read_bytes() == results
