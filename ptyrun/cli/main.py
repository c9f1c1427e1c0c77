"""Where does the command line begin?

With its end: before anything is imported that may take long, signals are listened to and the kernel
is told when the window is over. This module therefore imports next to nothing.
"""

from __future__ import annotations

import gc
import signal
import sys
from contextlib import suppress

from ptyrun.cli import streams
from ptyrun.cli.debug import take_word
from ptyrun.durations import parse_duration
from ptyrun.errors import ExitCode, PtyrunError, UsageError
from ptyrun.host.address_space import require_address_space
from ptyrun.host.deadline import DEADLINE, GRACE_S, MEMBER_GRACE_S
from ptyrun.host.first_moment import RESUMABLE
from ptyrun.host.signals import ASKED, end_by, leave_on_signals

WINDOW = "--window"
# Who repeats windows outlives each of them; a member of a crew ends before who waits for it.
DRIVEN, MEMBER = "--until-complete", "--crew"


def main() -> None:
    """Run the command line."""
    streams.speak_utf8()
    words = sys.argv[1:] = take_word(sys.argv[1:])
    if RESUMABLE.intersection(words[:1]):
        leave_on_signals()
        is_member = MEMBER in words
        DEADLINE.enable(MEMBER_GRACE_S if is_member else GRACE_S, says=not is_member)
        DEADLINE.set_window(window_of(words)[0])
    streams.make_unfailing()
    try:
        _count_attempts(words)
        if RESUMABLE.intersection(words[:1]):
            require_address_space()
        from ptyrun.cli.commands import cli

        cli()
    except SystemExit as end:
        _judge_attempt(end.code)
        if ASKED.ctrl_c > 1:  # who runs others has ended them first
            with suppress(OSError):
                sys.stdout.flush()
            end_by(signal.SIGINT)
        raise
    except KeyboardInterrupt:
        end_by(signal.SIGINT)
        raise
    except Exception as error:  # of what lies before and beside the commands
        from ptyrun.cli.saying import say
        from ptyrun.cli.unforeseen import words_of

        say(f"error: {error if isinstance(error, PtyrunError) else words_of(error)}", err=True)
        sys.exit(int(ExitCode.FAILED))
    finally:
        # The process ends: collecting what frameworks leave, object by object, takes most of a
        # second. Exit handlers run all the same.
        gc.freeze()


def _count_attempts(words: list[str]) -> None:
    if DEADLINE.at_s is None or MEMBER in words:
        return
    from ptyrun.host.attempts import ATTEMPTS

    ASKED.listeners.append(ATTEMPTS.withdraw)
    window_s, others = window_of(words)
    if window_s is not None and (warning := ATTEMPTS.begin(others, window_s)):
        from ptyrun.cli.saying import say

        say(f"note: {warning}", err=True)


def _judge_attempt(code: object) -> None:
    if DEADLINE.at_s is None:
        return
    from ptyrun.host.attempts import ATTEMPTS

    if code in (None, int(ExitCode.COMPLETE)):
        ATTEMPTS.progressed()
    elif code != ExitCode.INCOMPLETE or ASKED.was:
        ATTEMPTS.withdraw()


def window_of(words: list[str]) -> tuple[float | None, list[str]]:
    """Find the window that *words* give, before those are imported who read words.

    Returns
    -------
    tuple of float or None, list of str
        Seconds, and the words without them. Whatever this gets wrong is put right by who reads
        the words.

    Examples
    --------
    >>> window_of(["run", "RUN", "--window", "20s"]), window_of(["run", "--window=2m"])
    ((20.0, ['run', 'RUN']), (120.0, ['run']))
    """
    found: str | None = None
    others: list[str] = []
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if name == WINDOW:
            found = value if equals else next(left, "")
        elif word == DRIVEN:
            return None, words
        else:
            others.append(word)
        if word == "--":
            others += left
    try:
        return None if found is None else parse_duration(found), others
    except UsageError:
        return None, words
