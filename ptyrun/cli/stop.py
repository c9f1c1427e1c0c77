"""``ptyrun stop``: end the background session."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options
from ptyrun.cli.saying import say
from ptyrun.durations import format_duration
from ptyrun.texts import below_its_first_line, one_line


@click.command("stop")
@options.run_folder
@click.option(
    "--grace",
    "grace_s",
    type=options.Duration(),
    default="30s",
    help="How long the session may take to close its window before it is killed (default: 30s).",
)
def command(run_dir: Path, grace_s: float) -> None:
    """Ask RUN's background session to end; kill it if it does not. Nothing committed is lost."""
    from ptyrun.background.control import stop

    stopped = stop(run_dir, grace_s)
    observed = stopped.observed
    if stopped.was_over:
        say(f"it had ended already: {observed.judgement.words}")
    elif observed.ending is not None:
        took = format_duration(stopped.waited_s)
        reason = below_its_first_line(observed.ending.reason, "  ")
        say(f"ended by SIGTERM after {took}: {reason}")
    else:
        say(f"not ended by SIGTERM within {format_duration(grace_s)}")
    for line in stopped.killed:
        say(f"killed by SIGKILL: {one_line(line)}")
