"""``ptyrun preview``: what do the committed chunks amount to so far?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options


@click.command("preview")
@options.run_folder
@options.console
@options.elsewhere
def command(run_dir: Path, output: Path | None, **given: Any) -> None:
    """Draw and measure what is committed of RUN, marked as partial; disturbs no writer."""
    from ptyrun.cli import console
    from ptyrun.door.run import Run
    from ptyrun.door.watching import from_the_line

    with from_the_line(console.Console.from_words(given)):
        files = Run(run_dir).preview(output)
    click.echo(files.message)
    for picture in files.pictures:
        click.echo(picture)
