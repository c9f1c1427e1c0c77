"""How does a comparison get through windows that are too short for it, and through a kill?

Nothing here waits for a fixed time: a window in which nothing was finished is followed by one of
at least twice its length, so that a slow machine takes more windows and no other path.
"""

from __future__ import annotations

import datetime
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub import VIEW, Hub
from processes import program, settings_of

from ptyrun.errors import ExitCode, PtyrunError
from ptyrun.host.advice import Advice
from ptyrun.stages.status import Status, status

WINDOW_SCRIPT = Path(__file__).parents[1] / "loop" / "window.sh"
PTYRUN = Path(sys.executable).with_name("ptyrun")
FIRST_WINDOW_S = 8.0
LONGER = 2
LONGEST_WINDOW_S = 6 * 3600.0
CHUNK_GROUPS = 64
KILL_AFTER = 0.25
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Window:
    """How one window ended: its exit code (negative: by that signal), whether it got further.

    ``enough_s`` is how long it says that a window should be, where it was too short.
    """

    code: int
    got_further: bool
    enough_s: float | None


def compare_in_windows(hub: Hub, split: str) -> None:
    """Call ``ptyrun compare`` until it says that it is complete, and kill it once on the way.

    Raises
    ------
    SystemExit
        If the comparison fails although it was repaired and begun afresh.
    """
    run = hub.run(split)
    remedies = _remedies(run)
    window_s = _longest_so_far_s(run)
    may_kill = not _chunks_committed(run)
    for number in itertools.count(1):
        print(f"\nwindow {number}, {window_s:.0f} s", flush=True)
        window = _one_window(hub, split, window_s, may_kill=may_kill)
        if window.code == ExitCode.COMPLETE:
            print(f"\ncomplete after {number} window{'s' * (number > 1)}")
            return
        may_kill = may_kill and window.code != -signal.SIGKILL
        is_short = window.code == ExitCode.INCOMPLETE or window.enough_s is not None
        if window.code > 0 and not is_short:
            done = next(remedies, None)
            if done is None:
                raise SystemExit(window.code)
            print(f"exit code {window.code}: {done}")
        elif not window.got_further:
            if window_s >= LONGEST_WINDOW_S:
                raise SystemExit(f"nothing is finished even in {window_s:.0f} s")
            window_s = min(max(LONGER * window_s, window.enough_s or 0), LONGEST_WINDOW_S)
            print(f"nothing was finished: the next window has {window_s:.0f} s")


def _remedies(run: Path) -> Iterator[str]:
    """Put a run right that cannot go on, one way after the other; say what was done."""
    if (run / "manifest.json").exists():
        with program([PTYRUN, "verify", run, "--repair"], {}) as repair:
            repair.wait()
        yield "the run was repaired"
    if run.exists():
        now = datetime.datetime.now(datetime.UTC)
        aside = run.with_name(f"{run.name}.until-{now:%Y%m%dT%H%M%SZ}")
        run.rename(aside)
        yield f"the run is now {aside}, and begins afresh"


def _one_window(hub: Hub, split: str, window_s: float, *, may_kill: bool) -> Window:
    """Run what ``make full-test`` runs."""
    run = hub.run(split)
    before = _status(run)
    advice = Advice(hub.log("advice"))
    settings = {
        # Threads that spin while they wait slow each other down where cores are shared.
        **settings_of({"OMP_WAIT_POLICY": "PASSIVE"}),
        **advice.environment,
        "HUB": str(hub.root),
        "DOSE": str(hub.dose),
        "VIEW": VIEW,
        "CHUNK": str(CHUNK_GROUPS),
        "WINDOW": f"{window_s:.0f}s",
        "TRUST": "pinn",  # a .pt2 file, made here
        "PTYRUN": str(PTYRUN),
    }
    with program([WINDOW_SCRIPT, split, "full"], settings) as process:
        if may_kill:
            _kill_in_the_middle(process, run)
        code = process.wait()
    return Window(code, _got_further(before, _status(run)), advice.take())


def _kill_in_the_middle(process: subprocess.Popen[str], run: Path) -> None:
    while process.poll() is None:
        found = _status(run)
        if found and found.chunks_committed >= KILL_AFTER * found.chunks_total:
            process.kill()
            process.wait()
            print(f"killed with SIGKILL after {_progress(run)}", flush=True)
            return
        time.sleep(LOOK_EVERY_S)


def _status(run: Path) -> Status | None:
    """How far the run is; None before it is planned, or where that cannot be read."""
    try:
        return status(run)
    except (PtyrunError, OSError):
        return None


def _chunks_committed(run: Path) -> int:
    found = _status(run)
    return found.chunks_committed if found else 0


def _got_further(before: Status | None, after: Status | None) -> bool:
    if before is None or after is None:
        return before is not after
    return after.finalized > before.finalized or after.chunks_committed > before.chunks_committed


def _progress(run: Path) -> str:
    found = _status(run)
    return f"{found.chunks_committed} of {found.chunks_total} chunks" if found else "nothing"


def _longest_so_far_s(run: Path) -> float:
    """What windows an earlier call came to, by the ledger."""
    longest_s = FIRST_WINDOW_S
    for session in sorted((run / "ledger").glob("*.jsonl")):
        with suppress(OSError, ValueError, KeyError, TypeError), session.open("rb") as lines:
            longest_s = max(longest_s, float(json.loads(lines.readline())["budget_s"]))
    return min(longest_s, LONGEST_WINDOW_S)
