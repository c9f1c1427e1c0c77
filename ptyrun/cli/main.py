"""Where does the command line begin?

With its end: before anything is imported that may take long, signals are listened to and the kernel
is told when the window is over. This module therefore imports next to nothing.
"""

from __future__ import annotations

import gc
import os
import sys

from ptyrun.durations import parse_duration
from ptyrun.errors import ExitCode, UsageError
from ptyrun.host.deadline import DEADLINE, GRACE_S, MEMBER_GRACE_S
from ptyrun.host.signals import leave_on_signals

# Which commands go on where they stopped, when they are given again.
RESUMABLE = frozenset({"compare", "plan", "run", "finalize", "report"})
WINDOW = "--window"
# Who repeats windows outlives each of them; a member of a crew ends before who waits for it.
DRIVEN, MEMBER = "--until-complete", "--crew"


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    if RESUMABLE.intersection(words[:1]):
        leave_on_signals()
        DEADLINE.enable(MEMBER_GRACE_S if MEMBER in words else GRACE_S)
        DEADLINE.set_window(window_s_of(words))
    try:
        from ptyrun.cli.commands import cli

        cli()
    except BrokenPipeError:
        # The reader of a pipe left; writing again at interpreter exit would raise once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(int(ExitCode.FAILED))
    finally:
        # The process ends: collecting what frameworks leave, object by object, takes most of a
        # second. Exit handlers run all the same.
        gc.freeze()


def window_s_of(words: list[str]) -> float | None:
    """Find the window that *words* give, before those are imported who read words.

    Whatever this gets wrong is put right when they do.

    Examples
    --------
    >>> window_s_of(["run", "RUN", "--window", "20s"]), window_s_of(["run", "--window=2m"])
    (20.0, 120.0)
    """
    found: float | None = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("--", DRIVEN):
            return found if word == "--" else None
        name, equals, value = word.partition("=")
        if name == WINDOW:
            try:
                found = parse_duration(value if equals else following)
            except UsageError:
                return None
    return found
