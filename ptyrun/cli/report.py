"""``ptyrun report``: a page that a person can read."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options
from ptyrun.host.deadline import DEADLINE


@click.command("report")
@options.run_folder
@click.option("--force", is_flag=True, help="Make the report again even if it is up to date.")
@options.window
def command(run_dir: Path, force: bool, window_s: float | None) -> None:
    """Write RUN's report: one HTML page, Markdown and CSV."""
    from ptyrun.cli import console
    from ptyrun.comparison import next_step
    from ptyrun.engine.window import Window

    DEADLINE.set_window(window_s)
    window = Window(window_s)
    next_step.require_window(run_dir, window, chunks_of=(), makes=(next_step.REPORT,))
    from ptyrun.stages import report

    screen = console.Console()
    click.echo(report.report(run_dir, window=window, force=force, watcher=screen).html)
