"""How is a session in the background begun on the command line, and told?"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ptyrun.cli.saying import say
from ptyrun.errors import UsageError
from ptyrun.host.children import ptyrun_words

if TYPE_CHECKING:
    from ptyrun.comparison.tracked import TrackedProcess

NOTIFY = "--notify-command"
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def tell(tracked: TrackedProcess, folder: Path) -> None:
    """Say which process was started, and what to do next."""
    say(f"started PID {tracked.pid} on {tracked.host} at {tracked.started_at}")
    say(f"log      {folder / tracked.log}")
    say(f"command  {shlex.join(tracked.argv)}")
    say(f"next     ptyrun wait {shlex.quote(str(folder))}")


def options(command: Decorated) -> Decorated:
    """Add the options of every command that begins a tracked session."""
    for add in (
        click.option(
            "--log", default="", hidden=True, help="With --foreground: where the output goes."
        ),
        click.option(
            "--foreground",
            is_flag=True,
            help="Track this very process instead of detaching one (for systemd and containers).",
        ),
        click.option(
            "--take-over",
            is_flag=True,
            help="Treat a session recorded on another host or container as dead.",
        ),
        click.option(
            NOTIFY,
            "notify_command",
            metavar="COMMAND",
            default="",
            help="Run this in a shell when the session ends. PTYRUN_STATE (complete, incomplete, "
            "blocked or failed), PTYRUN_RUN, PTYRUN_EXIT_CODE and PTYRUN_REASON are in its "
            "environment. It is killed after a minute.",
        ),
    ):
        command = add(command)
    return command


def notify_words(command: str) -> tuple[str, ...]:
    """Spell for a detached session what it runs at its end."""
    return (NOTIFY, command) if command else ()


def become_session(log: str) -> tuple[str, ...]:
    """Let this very process be the session, which writes to *log* or a terminal; give its words."""
    _require_own_session()
    if not log:
        _carry_own_token()
    return ptyrun_words(*sys.argv[1:])


def _require_own_session() -> None:
    """See that this process leads a process session: all of it may be ended."""
    if os.getsid(0) != os.getpid():
        raise UsageError(
            "this process does not lead a process session of its own",
            why="`ptyrun stop` ends all processes of the session, and these would be others' too",
            do="start it with `setsid -w`; systemd and containers give each service its own",
        )


def _carry_own_token() -> None:
    """Begin again with a token in the environment, which is how `ptyrun stop` knows a session."""
    from ptyrun.background import proof

    pid = os.getpid()
    if proof.own_token(pid) is None:
        environment = {**os.environ, proof.TOKEN: f"{pid}-{proof.new_token()}"}
        words = ptyrun_words(*sys.argv[1:])
        os.execve(words[0], words, environment)
