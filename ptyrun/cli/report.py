"""``ptyrun report``: a page that a person can read."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options
from ptyrun.host.deadline import DEADLINE


@click.command("report")
@options.run_folder
@click.option("--force", is_flag=True, help="Make the report again even if it is up to date.")
@options.elsewhere
@options.window
def command(run_dir: Path, force: bool, output: Path | None, window_s: float | None) -> None:
    """Write RUN's report: one HTML page, Markdown and CSV."""
    from ptyrun.cli import console
    from ptyrun.door.run import Run
    from ptyrun.door.watching import from_the_line

    DEADLINE.set_window(window_s)
    with from_the_line(console.Console()):
        click.echo(Run(run_dir).report(output, force=force, window=window_s).html)
