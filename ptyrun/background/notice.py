"""What is run when a tracked session has ended? The user's own command, told how it ended."""

from __future__ import annotations

import os
import subprocess

from ptyrun.background.tracked import TrackedProcess
from ptyrun.errors import ExitCode
from ptyrun.paths import RunPaths
from ptyrun.progress import Watcher

PATIENCE_S = 60.0
_STATES: dict[int, str] = {
    ExitCode.COMPLETE: "complete",
    ExitCode.INCOMPLETE: "incomplete",
    ExitCode.BLOCKED: "blocked",
}


def notify(command: str, paths: RunPaths, watcher: Watcher) -> None:
    """Run *command* in a shell, with the ending of the session in its environment.

    Parameters
    ----------
    command : str
        For ``sh``. It has a minute; what comes of it is noted and changes nothing.
    paths : RunPaths
        Of the run, or the hub, whose session has just ended.
    watcher : Watcher
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
        done = subprocess.run(
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **told},
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        watcher.warn(f"--notify-command failed: {error}")
        return
    if done.returncode:
        watcher.warn(f"--notify-command ended with exit code {done.returncode}")
