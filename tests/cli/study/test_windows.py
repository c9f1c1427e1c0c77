"""Is a window kept, and told when it is too short, whatever a stage is doing?"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words
from tests.paced import windows_s
from tests.study.hubs import write_base

PATIENCE_S = 300
# Ready data in the place of the first stages, so that others begin at once.
STUDY = """
hub = "hub"
dose = 1000
view = "dense"
splits = "train"
base_npz = "base.npz"

[[stage]]
name = "{name}"
command = {command}
outputs = ["data/{name}"]
"""


def write_study(folder: Path, script: str, name: str = "a") -> Path:
    command = json.dumps([sys.executable, "-S", "-c", f"import time\n{script}"])
    (folder / "study.toml").write_text(STUDY.format(name=name, command=command))
    write_base(folder / "base.npz")
    return folder / "study.toml"


def study(verb: str, path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ptyrun_words("study", verb, "--config", str(path), *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def states(path: Path) -> dict[str, str]:
    found = json.loads(study("status", path, "--json").stdout)["stages"]
    return {key: each["state"] for key, each in found.items()}


def test_a_window_ends_in_time_and_leaves_no_stage_at_work(tmp_path: Path) -> None:
    path = write_study(tmp_path, "time.sleep(600)")
    for window_s in windows_s(3.0):
        began_s = time.monotonic()
        done = study("run", path, "--window", f"{window_s:g}s")
        took_s = time.monotonic() - began_s
        assert done.returncode == ExitCode.INCOMPLETE, done.stderr
        assert took_s < PATIENCE_S / 2, "the stage was not waited for"
        if (tmp_path / "hub").is_dir():  # a busy machine may get no further in one window
            break
    assert states(path)["a"] == "pending"


@pytest.mark.slow
def test_a_stage_that_was_cut_off_asks_for_a_longer_window(tmp_path: Path) -> None:
    """Known to take longer than the window: refused at once, with one that may do."""
    path = write_study(tmp_path, "time.sleep(600)")
    said = ""
    for _ in range(40):  # on a busy machine, some end before the stage is begun
        done = study("run", path, "--window", "8s")
        said += done.stderr
        if done.returncode == ExitCode.FAILED and is_bundled(path):
            break
    assert done.returncode == ExitCode.FAILED
    assert "too short for a" in done.stderr
    assert "use --window" in done.stderr
    assert "a: not done yet: nothing new is kept" in said
    assert re.search(r"a: not begun: the rest of this window, .*, is too short: it needs", said)
    assert is_bundled(path), "the others are made meanwhile"


def is_bundled(path: Path) -> bool:
    return (path.parent / "hub").is_dir() and states(path)["bundle-dose_1000-dense"] == "done"


def test_a_command_is_asked_to_end_before_it_is_ended(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "def save(*_):\n    open(os.environ['PTYRUN_HUB'] + '/data/saved', 'w').close()\n"
        "    sys.exit(75)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "assert float(os.environ['PTYRUN_WINDOW_S']) > 0\n"
        "time.sleep(600)"
    )
    path = write_study(tmp_path, script)
    # In the place of the first stage: nothing else can be begun before.
    path.write_text(
        path.read_text()
        .replace('name = "a"', 'name = "simulate"')
        .replace('outputs = ["data/a"]', "")
    )
    for window_s in (6, 12, 24, 48):  # a busy machine has not begun to listen
        study("run", path, "--window", f"{window_s}s")
        if (tmp_path / "hub" / "data" / "saved").exists():
            return
    pytest.fail("it was never asked")


def test_simulated_frames_are_gone_on_with_in_the_next_window(tmp_path: Path) -> None:
    """In windows of a few pieces each; the stage itself is `tests/study/test_data.py`'s."""
    path = write_study(tmp_path, "open('hub/data/a', 'w').close()")
    words = ptyrun_words("study", "stage", "simulate-dose_1000", "--config", str(path))
    closed = [*words, "--within", "0.001"]
    assert subprocess.run(closed, check=False).returncode == ExitCode.INCOMPLETE
    assert subprocess.run(words, check=False).returncode == ExitCode.COMPLETE
    assert states(path)["simulate-dose_1000"] == "done"


def test_another_session_with_other_options_is_refused_while_one_works(tmp_path: Path) -> None:
    path = write_study(tmp_path, "time.sleep(600)")
    words = ptyrun_words("study", "run", "--config", str(path))
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("begun" in line for line in process.stderr)
        done = study("run", path, "--seed", "7")
        process.terminate()
        assert process.wait(timeout=PATIENCE_S) == ExitCode.INCOMPLETE
    assert done.returncode == ExitCode.USAGE
    assert "--seed is default there and 7 here" in done.stderr


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    path = write_study(tmp_path, "open('hub/data/a', 'w').close()")
    (tmp_path / "hub" / "cli").mkdir(parents=True)
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "hub" / "cli" / "simulate-dose_1000.log").symlink_to(tmp_path / "victim")
    done = study("run", path)
    assert done.returncode == ExitCode.USAGE
    assert "symbolic link" in done.stderr
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_folder_that_leads_out_of_the_hub_is_not_written_to(tmp_path: Path) -> None:
    path = write_study(tmp_path, "open('hub/data/a', 'w').close()")
    (tmp_path / "hub").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "hub" / "data").symlink_to(tmp_path / "elsewhere")
    done = study("run", path)
    assert done.returncode == ExitCode.USAGE
    assert "symbolic link" in done.stderr
    assert not [*(tmp_path / "elsewhere").iterdir()]
