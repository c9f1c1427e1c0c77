"""``ptyrun finalize``: objects, metrics and pictures from what is committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options
from ptyrun.host.deadline import DEADLINE


@click.command("finalize")
@options.run_folder
@click.option("--force", is_flag=True, help="Make the results again, even if they are up to date.")
@options.window
@options.adopt
@options.console
def command(run_dir: Path, force: bool, window_s: float | None, adopt: bool, **given: Any) -> None:
    """Assemble RUN's objects, metrics and pictures once every chunk is committed."""
    from ptyrun.cli import console
    from ptyrun.door.run import Run
    from ptyrun.door.watching import from_the_line

    DEADLINE.set_window(window_s)
    screen = console.Console.from_words(given)
    with from_the_line(screen):
        found = Run(run_dir).finalize(force=force, window=window_s, adopt=adopt)
    screen.results(found, run_dir)
