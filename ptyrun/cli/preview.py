"""``ptyrun preview``: what do the committed chunks amount to so far?"""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options


@click.command("preview")
@options.run_folder
def command(run_dir: Path) -> None:
    """Draw and measure what is committed of RUN, marked as partial; disturbs no writer."""
    from ptyrun.cli import console
    from ptyrun.stages import preview

    files = preview.preview(run_dir, watcher=console.Console())
    click.echo(files.message)
    for picture in files.pictures:
        click.echo(picture)
