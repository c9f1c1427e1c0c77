"""What is run when a tracked session has ended? The user's own command, told how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

from ptyrun.comparison.tracked import TrackedProcess
from ptyrun.errors import ExitCode
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher

PATIENCE_S = 60.0
_STATES: dict[int, str] = {
    ExitCode.COMPLETE: "complete",
    ExitCode.INCOMPLETE: "incomplete",
    ExitCode.BLOCKED: "blocked",
}


def notify(command: str, paths: RunPaths, watcher: Watcher, patience_s: float = PATIENCE_S) -> None:
    """Run *command* in a shell, with the ending of the session in its environment.

    Parameters
    ----------
    command : str
        For ``sh``. What comes of it is noted and changes nothing.
    paths : RunPaths
        Of the run, or the hub, whose session has just ended.
    watcher : Watcher
    patience_s : float
        How long it may take before it is killed, in seconds.
    """
    tracked = TrackedProcess.find(paths.process)
    if not command or tracked is None or tracked.exit_code is None:
        return
    told = {
        "PTYRUN_RUN": str(paths.root.resolve()),
        "PTYRUN_STATE": _STATES.get(tracked.exit_code, "failed"),
        "PTYRUN_EXIT_CODE": str(tracked.exit_code),
        "PTYRUN_REASON": tracked.reason,
        "PTYRUN_EVIDENCE": tracked.evidence,
        "PTYRUN_SESSION": tracked.session,
    }
    try:
        code = _run(command, {**os.environ, **told}, patience_s)
    except (OSError, ValueError) as error:
        watcher.warn(f"--notify-command failed: {error}")
        return
    if code is None:
        watcher.warn(f"--notify-command was killed: it did not end within {patience_s:.0f} s")
    elif code:
        watcher.warn(f"--notify-command ended with exit code {code}")


def _run(command: str, environment: dict[str, str], patience_s: float) -> int | None:
    """Run a command; kill it with all that it started, and give None, if it takes too long."""
    process = subprocess.Popen(
        command, shell=True, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
    )
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None
