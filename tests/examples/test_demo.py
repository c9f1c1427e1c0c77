"""Does the demo go on after whatever ended it, and does it need no patience?

Its steps and windows are stood in for by scripts that end as told: what is tested is their caller.
"""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
NAMES = ("hub", "processes", "recipes", "windows", "make_demo")
WINDOW = """#!/usr/bin/env bash
# Notes its window, then ends with the first exit code of the list, with advice if there is any.
cd "$(dirname "$0")"
echo "$WINDOW" >>windows
code=$(head -n 1 codes)
sed -i 1d codes
case $code in
  *:*) echo "${code#*:}" >"$PTYRUN_ADVICE"; code=${code%:*} ;;
  killed) kill -9 $$ ;;
esac
exit "$code"
"""
STEP = """
import pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "begun").open("a") as begun:
    begun.write("x")
print("a line")
sys.exit(len((folder / "begun").read_text()) <= int((folder / "fails").read_text()))
"""


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    monkeypatch.syspath_prepend(DEMO)
    modules: dict[str, ModuleType] = {name: importlib.import_module(name) for name in NAMES}
    yield SimpleNamespace(**modules)
    for name in NAMES:
        sys.modules.pop(name, None)


class Windows:
    """A hub whose windows end as told."""

    def __init__(self, demo: SimpleNamespace, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.demo = folder, demo
        self.hub = demo.hub.Hub(folder / "hub", 1000)
        self.run = self.hub.run("test")
        self.hub.log("x").parent.mkdir(parents=True)
        script = folder / "window.sh"
        script.write_text(WINDOW, encoding="utf-8")
        script.chmod(0o755)
        patch.setattr(demo.windows, "WINDOW_SCRIPT", script)

    def end_with(self, *codes: str) -> list[str]:
        (self.folder / "codes").write_text("".join(f"{code}\n" for code in codes))
        (self.folder / "windows").unlink(missing_ok=True)
        try:
            self.demo.windows.compare_in_windows(self.hub, "test")
        finally:
            self.had = (self.folder / "windows").read_text().split()
        return self.had


@pytest.fixture
def windows(demo: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Windows:
    return Windows(demo, tmp_path, monkeypatch)


def test_windows_without_progress_double_however_often(windows: Windows) -> None:
    lengths = windows.end_with(*["75"] * 6, "killed", "0")
    assert lengths == [f"{8 * 2**n}s" for n in range(8)]


def test_a_window_is_as_long_as_the_last_one_says_that_would_do(windows: Windows) -> None:
    assert windows.end_with("1:300", "75:310", "0") == ["8s", "300s", "600s"]


def test_a_later_call_begins_with_the_longest_window_so_far(windows: Windows) -> None:
    ledger = windows.run / "ledger"
    ledger.mkdir(parents=True)
    for number, budget_s in enumerate((8, 512, 64)):
        (ledger / f"{number}.jsonl").write_text(json.dumps({"budget_s": budget_s}) + "\n")
    (ledger / "3.jsonl").write_text('{"event": "torn')
    (ledger / "4.jsonl").write_text('{"event": "other"}\n')
    assert windows.end_with("0") == ["512s"]


def test_a_run_that_cannot_go_on_is_repaired_then_set_aside_then_given_up(
    windows: Windows, capsys: pytest.CaptureFixture[str]
) -> None:
    windows.run.mkdir(parents=True)
    (windows.run / "manifest.json").write_text("half a mani")
    with pytest.raises(SystemExit) as ended:
        windows.end_with("3", "1", "2")
    assert ended.value.code == 2
    assert len(windows.had) == 3
    said = capsys.readouterr().out
    assert "exit code 3: the run was repaired" in said
    assert "exit code 1: the run is now" in said
    assert not windows.run.exists()
    (aside,) = windows.run.parent.glob("test.until-*")
    assert (aside / "manifest.json").exists()
    assert windows.end_with("75", "0") == ["8s", "16s"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"settings": {"a": 1}}', '{"settings": {"a": 1}, "inputs": []}'],
)
def test_half_a_manifest_is_no_complete_step(
    text: str, demo: SimpleNamespace, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(text)
    assert not demo.hub.is_complete(manifest, {"a": 1})


def test_a_step_is_complete_until_anything_of_it_changes(
    demo: SimpleNamespace, tmp_path: Path
) -> None:
    manifest, output = tmp_path / "manifest.json", tmp_path / "made.npz"
    (tmp_path / "partial.77.npz").write_bytes(b"of a killed step")
    with demo.hub.whole(output) as partial:
        partial.write_bytes(b"all of it")
    assert [*tmp_path.iterdir()] == [output]
    words = {"inputs": [], "outputs": [output], "figures": {}}
    demo.hub.write_manifest(manifest, {"a": 1}, **words)
    assert demo.hub.is_complete(manifest, {"a": 1})
    assert not demo.hub.is_complete(manifest, {"a": 2})
    output.write_bytes(b"half")
    assert not demo.hub.is_complete(manifest, {"a": 1})
    output.unlink()
    assert not demo.hub.is_complete(manifest, {"a": 1})


@pytest.mark.parametrize(("fails", "ends"), [("1", True), ("2", False)])
def test_a_step_that_fails_beside_others_is_tried_once_more_alone(
    fails: str, ends: bool, demo: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "step.py").write_text(STEP)
    (tmp_path / "fails").write_text(fails)
    hub = demo.hub.Hub(tmp_path / "hub", 1000)
    script = str(tmp_path / "step.py")
    step = demo.make_demo.Step("s", "does", script, tmp_path / "m.json", demo.recipes.Pinn())
    if ends:
        demo.make_demo.run_together(hub, [step])
    else:
        with pytest.raises(SystemExit, match="s failed with exit code 1"):
            demo.make_demo.run_together(hub, [step])
    assert len((tmp_path / "begun").read_text()) == 2


def test_two_demos_of_one_hub_take_turns(demo: SimpleNamespace, tmp_path: Path) -> None:
    inside = threading.Event()

    def second() -> None:
        with demo.processes.alone(tmp_path):
            inside.set()

    with demo.processes.alone(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not inside.wait(0.3)
    waiting.join()
    assert inside.is_set()


def test_nothing_outlives_a_demo_that_is_killed(tmp_path: Path) -> None:
    """The child writes its PID and sleeps; whoever reads its output sees it end."""
    code = (
        f"import sys; sys.path.insert(0, {str(DEMO)!r})\n"
        "from processes import program\n"
        "with program(['sleep', '600'], {}) as child:\n"
        "    print('begun', flush=True); child.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"begun\n"
    parent.send_signal(signal.SIGKILL)
    # The pipe is the child's, too: it ends when the last of both has.
    assert parent.stdout.read() == b""
    parent.wait()
    parent.stdout.close()
