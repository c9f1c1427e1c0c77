"""How does a comparison get through windows that are too short for it, and through a kill?"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub import VIEW, Hub

from ptyrun.errors import ExitCode, InputError
from ptyrun.stages.status import Status, status

WINDOW_SCRIPT = Path(__file__).parents[1] / "loop" / "window.sh"
FIRST_WINDOW_S = 8
LONGER = 1.5
MAX_WINDOWS = 12
CHUNK_GROUPS = 64
KILL_AFTER = 0.25
LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Window:
    """How one window ended: its exit code (negative: killed by that signal), chunks it finished."""

    code: int
    chunks: int


def compare_in_windows(hub: Hub, split: str) -> None:
    """Call ``ptyrun compare`` until it says that it is complete, and kill it once on the way.

    Raises
    ------
    SystemExit
        If the comparison fails, or does not come to an end.
    """
    window_s = float(FIRST_WINDOW_S)
    may_kill = not _is_begun(hub.run(split))
    for number in range(1, MAX_WINDOWS + 1):
        print(f"\nwindow {number}, {window_s:.0f} s", flush=True)
        window = _one_window(hub, split, window_s, may_kill=may_kill)
        if window.code == ExitCode.COMPLETE:
            print(f"\ncomplete after {number} window{'s' * (number > 1)}")
            return
        if window.code < 0:
            may_kill = False
        elif window.code != ExitCode.INCOMPLETE:
            raise SystemExit(window.code)
        elif window.chunks == 0:
            window_s *= LONGER
            print(f"no chunk was finished: the next window has {window_s:.0f} s")
    raise SystemExit(f"the comparison is not complete after {MAX_WINDOWS} windows")


def _one_window(hub: Hub, split: str, window_s: float, *, may_kill: bool) -> Window:
    run = hub.run(split)
    before = _chunks_committed(run)
    with _process(hub, split, window_s) as process:
        while may_kill and process.poll() is None:
            if _is_in_the_middle(run):
                process.kill()
                process.wait()
                print(f"killed with SIGKILL after {_progress(run)}", flush=True)
                break
            time.sleep(LOOK_EVERY_S)
        code = process.wait()
    return Window(code, _chunks_committed(run) - before)


@contextmanager
def _process(hub: Hub, split: str, window_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """Run what ``make full-test`` runs; it does not outlive this program, however that ends."""
    environment = {
        # Threads that spin while they wait slow each other down where cores are shared.
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "HUB": str(hub.root),
        "DOSE": str(hub.dose),
        "VIEW": VIEW,
        "CHUNK": str(CHUNK_GROUPS),
        "WINDOW": f"{window_s:.0f}s",
        "TRUST": "pinn",  # a .pt2 file, made here
        "PTYRUN": str(Path(sys.executable).with_name("ptyrun")),
    }
    process = subprocess.Popen([WINDOW_SCRIPT, split, "full"], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _status(run: Path) -> Status | None:
    """How far the run is; None before it is planned."""
    try:
        return status(run)
    except InputError:
        return None


def _chunks_committed(run: Path) -> int:
    found = _status(run)
    return found.chunks_committed if found else 0


def _is_begun(run: Path) -> bool:
    return _chunks_committed(run) > 0


def _progress(run: Path) -> str:
    found = _status(run)
    return f"{found.chunks_committed} of {found.chunks_total} chunks" if found else "nothing"


def _is_in_the_middle(run: Path) -> bool:
    found = _status(run)
    return found is not None and found.chunks_committed >= KILL_AFTER * found.chunks_total
