"""What if a signal comes before anything of ours is imported?

This module is the first that the command line imports, and itself imports only what Python is built
with: `signal` alone takes longer than Python's own start.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

INCOMPLETE = 75  # as errors.ExitCode, which costs an import
# Which commands go on where they stopped, when they are given again.
RESUMABLE = frozenset({"compare", "plan", "run", "finalize", "report", "study"})
# Signals that close a window, as far as the system has them.
CLOSING_NAMES = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGXCPU")
COMMAND = ("ptyrun", "ptyrun/__main__.py")


def leave_on_signals() -> None:
    """Let the signals that close a window end this process, if it is a command that is resumable.

    Nothing is begun yet, so it may end at any point. `ptyrun.host.signals` takes over.
    """
    if not (RESUMABLE.intersection(sys.argv[1:2]) and sys.argv[0].endswith(COMMAND)):
        return
    for name in CLOSING_NAMES:
        number = getattr(_signal, name, None)
        if number is not None and _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _leave)


def _leave(_number: int, _frame: object) -> None:
    # contextlib is not part of Python's own start.
    try:  # noqa: SIM105
        os.write(2, b"received a signal: run the same command again to go on\n")
    except OSError:
        pass  # a full or closed stream ends nothing
    os._exit(INCOMPLETE)
