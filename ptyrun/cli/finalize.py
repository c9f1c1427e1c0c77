"""``ptyrun finalize``: objects, metrics and pictures from what is committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options
from ptyrun.host.deadline import DEADLINE


@click.command("finalize")
@options.run_folder
@click.option("--force", is_flag=True, help="Make the results again even if they are up to date.")
@options.window
@options.adopt
@options.console
def command(run_dir: Path, force: bool, window_s: float | None, adopt: bool, **given: Any) -> None:
    """Assemble RUN's objects, metrics and pictures once every chunk is committed."""
    from ptyrun.cli import console
    from ptyrun.comparison import next_step
    from ptyrun.engine.window import Window

    DEADLINE.set_window(window_s)
    window = Window(window_s)
    next_step.require_window(run_dir, window, chunks_of=(), makes=(next_step.FINALIZE,))
    from ptyrun.stages import finalize

    screen = console.Console.from_words(given)
    found = finalize.finalize(run_dir, window=window, force=force, watcher=screen, adopt=adopt)
    screen.results(found, run_dir)
