"""``ptyrun preview``: what do the committed chunks amount to so far?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options


@click.command("preview")
@options.run_folder
@options.console
def command(run_dir: Path, **given: Any) -> None:
    """Draw and measure what is committed of RUN, marked as partial; disturbs no writer."""
    from ptyrun.cli import console
    from ptyrun.stages import preview

    files = preview.preview(run_dir, watcher=console.Console.from_words(given))
    click.echo(files.message)
    for picture in files.pictures:
        click.echo(picture)
