"""``ptyrun logs``: what the background session says."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options, streams
from ptyrun.cli.saying import say
from ptyrun.errors import InputError


@click.command("logs")
@options.run_folder
@click.option(
    "-n",
    "--lines",
    "n_lines",
    type=click.IntRange(min=0),
    default=50,
    metavar="N",
    help="Number of lines to show, from the end (default: 50).",
)
@click.option("-f", "--follow", is_flag=True, help="Keep printing until the session is over.")
def command(run_dir: Path, n_lines: int, follow: bool) -> None:
    """Show the last lines of RUN's background session."""
    from ptyrun.background import control, tail

    tracked = control.observed(run_dir).tracked
    if not tracked.log or not (run_dir / tracked.log).exists():
        raise InputError(
            f"the session has no log: {tracked}",
            why="it runs in the foreground, or its log was deleted",
            do="look at the terminal or service that runs it",
        )
    if not follow:
        say(tail.last_lines(run_dir, tracked.log, n_lines), nl=False)
        return

    def is_over() -> bool:
        seen = control.observed(run_dir)
        ended = seen.ending is not None or seen.died
        return ended or seen.tracked.session != tracked.session

    for text in tail.follow(run_dir, tracked.log, n_lines, is_over):
        say(text, nl=False)
        if not streams.is_heard():
            return
