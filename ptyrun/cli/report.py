"""``ptyrun report``: a page that a person can read."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options


@click.command("report")
@options.run_folder
@click.option("--force", is_flag=True, help="Make the report again even if it is up to date.")
def command(run_dir: Path, force: bool) -> None:
    """Write RUN's report: one HTML page, Markdown and CSV."""
    from ptyrun.cli import console
    from ptyrun.stages import report

    click.echo(report.report(run_dir, force=force, watcher=console.Console()).html)
