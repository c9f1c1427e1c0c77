"""Sessions that the kernel's timer ends in the middle of their work, and others that are killed."""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ptyrun.cli.status import as_text
from ptyrun.engine.endings import Ending, ending_of
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.patience import fruitless
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode, PtyrunError
from ptyrun.host.deadline import DEADLINE, GRACE_S
from ptyrun.paths import RunPaths
from ptyrun.stages.status import status
from tests.engine.children import spawn
from tests.engine.toys import (
    decoded,
    expected,
    just_begun,
    planned,
    session_s,
    toy_manifest,
    toy_run,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the timer is Linux's")

IN_A_ROW = 3


def windowed(folder: Path, budget_s: float, **options: Any) -> None:
    """One session as the command line has it: the kernel ends it if it does not end itself."""
    DEADLINE.enable()
    DEADLINE.within(budget_s + GRACE_S)
    try:
        sys.exit(int(toy_run(folder, window=Window(budget_s, just_begun()), **options).stop))
    except PtyrunError as error:
        sys.exit(int(error.exit_code))


@pytest.fixture
def short_s(tmp_path_factory: pytest.TempPathFactory) -> float:
    """A short window that is all the same long enough to begin a chunk in."""
    return max(1.0, 10 * session_s(tmp_path_factory.mktemp("other")))


def stuck(begun: Path, items: range) -> None:
    """A trouble that holds the interpreter's lock for hours."""
    begun.touch()
    re.match("(a+)+b", "a" * 60)


def ends_with(folder: Path, budget_s: float, **options: Any) -> int:
    child = spawn(windowed, folder, budget_s, batch_items=8, **options)
    child.join(300)
    assert child.exitcode is not None
    return child.exitcode


def opened(folder: Path) -> Ledger:
    return open_ledger(RunPaths(folder), Manifest.load(RunPaths(folder).manifest))


def endings(folder: Path) -> list[Ending]:
    ledger = opened(folder)
    files = sorted(ledger.sessions.values(), key=lambda file: file.name)
    return [
        ending_of(ledger.paths, f.name, f.opened) for f in files if f.opened and f.closed is None
    ]


def deaths(folder: Path, chunk: int = 0) -> int:
    ledger = opened(folder)
    return ledger.attempts(ledger.progress.arms["one"], chunk, lambda session: False)


def test_a_session_that_is_cut_is_no_death_of_its_chunk_and_the_third_is_an_error(
    tmp_path: Path, short_s: float
) -> None:
    manifest = planned(tmp_path, toy_manifest())
    trouble = partial(stuck, tmp_path / "begun")
    codes = [ends_with(tmp_path, short_s, trouble=trouble) for _ in range(IN_A_ROW)]
    assert codes == [ExitCode.INCOMPLETE, ExitCode.INCOMPLETE, ExitCode.FAILED]
    assert (tmp_path / "begun").exists(), "it was computing"
    assert endings(tmp_path) == [Ending.CUT] * IN_A_ROW
    assert deaths(tmp_path) == 0
    row = fruitless(opened(tmp_path), short_s)
    assert row.windows == IN_A_ROW
    assert row.enough_s is not None and row.enough_s > short_s
    assert ends_with(tmp_path, 1.5 * short_s, trouble=trouble) == ExitCode.INCOMPLETE, (
        "a longer one"
    )
    assert ends_with(tmp_path, 100.0) == ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)
    assert fruitless(opened(tmp_path), short_s).windows == 0


def test_a_session_with_a_window_that_is_killed_is_a_death_of_its_chunk(
    tmp_path: Path, short_s: float
) -> None:
    planned(tmp_path, toy_manifest())
    window_s = 3 * short_s
    child = spawn(
        windowed, tmp_path, window_s, batch_items=8, trouble=partial(stuck, tmp_path / "b")
    )
    until_there(tmp_path / "b")
    child.kill()
    child.join()
    time.sleep(window_s + 1.5)  # the deadline that it did not live to see
    assert endings(tmp_path) == [Ending.KILLED]
    assert deaths(tmp_path) == 1
    assert fruitless(opened(tmp_path), window_s).windows == 0


def until_there(path: Path) -> None:
    deadline_s = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def slow(begun: Path, items: range) -> None:
    begun.touch()
    time.sleep(600)


def test_a_session_that_was_asked_to_end_and_then_killed_is_neither(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    child = spawn(windowed, tmp_path, 300.0, batch_items=8, trouble=partial(slow, tmp_path / "b"))
    until_there(tmp_path / "b")
    assert child.pid
    os.kill(child.pid, signal.SIGTERM)
    until_there(next((tmp_path / "claims").glob("*.uncut")).with_suffix(".asked"))
    child.kill()
    child.join()
    assert endings(tmp_path) == [Ending.ASKED]
    assert deaths(tmp_path) == 0
    assert fruitless(opened(tmp_path), 300.0).windows == 0


def test_a_session_that_is_asked_to_end_does_not_take_for_ever(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    child = spawn(windowed, tmp_path, 300.0, batch_items=8, trouble=partial(slow, tmp_path / "b"))
    until_there(tmp_path / "b")
    assert child.pid
    os.kill(child.pid, signal.SIGTERM)
    child.join(300)
    assert child.exitcode == ExitCode.INCOMPLETE
    assert endings(tmp_path) == [Ending.ASKED]


def test_a_session_that_says_how_it_ended_leaves_nothing_beside_its_claims(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest())
    assert ends_with(tmp_path, 100.0, max_chunks=1) == ExitCode.INCOMPLETE
    assert not [*(tmp_path / "claims").glob("*.uncut"), *(tmp_path / "claims").glob("*.asked")]


def test_what_was_committed_before_a_cut_stays(tmp_path: Path, short_s: float) -> None:
    manifest = planned(tmp_path, toy_manifest())
    code = ends_with(tmp_path, 2 * short_s, trouble=partial(stuck_after, tmp_path, 16))
    assert code == ExitCode.INCOMPLETE
    assert opened(tmp_path).progress.chunks_committed == 2
    assert toy_run(tmp_path, batch_items=8).stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)


def stuck_after(folder: Path, items_done: int, items: range) -> None:
    if items.start >= items_done:
        while opened(folder).progress.chunks_committed < items_done // 8:
            time.sleep(0.02)
        re.match("(a+)+b", "a" * 60)


def test_status_says_why_windows_made_no_progress_and_what_next(
    tmp_path: Path, short_s: float
) -> None:
    planned(tmp_path, toy_manifest())
    for _ in range(2):
        assert ends_with(tmp_path, short_s, trouble=partial(stuck, tmp_path / "begun")) == 75
    found = status(tmp_path)
    assert found.windows_without_progress == 2
    assert found.window_needed_s is not None and found.window_needed_s > short_s
    said = as_text(found, tmp_path, 100)
    assert f"the last 2 windows made no progress: the window of {short_s:.1f} s ended" in said
    assert f"next: --window {math.ceil(found.window_needed_s)}s or more" in said
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE
    assert status(tmp_path).window_needed_s is None
