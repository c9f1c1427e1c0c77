"""``ptyrun run``: one session of work on a planned run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options


@click.command("run")
@options.run_folder
@options.session("--arm")
@options.until_complete
@click.pass_context
def command(ctx: click.Context, /, run_dir: Path, until_complete: bool, **given: Any) -> None:
    """Compute what RUN still lacks. Safe to kill, safe to repeat."""
    from ptyrun.cli import console

    screen = console.Console()
    if until_complete:
        from ptyrun.background import windows

        words = ["run", str(run_dir), *options.session_words(given)]
        ctx.exit(windows.drive(run_dir, words, words, screen))

    from ptyrun.stages import run

    outcome = run.run(run_dir, options.session_options(given), watcher=screen)
    screen.session(outcome)
    ctx.exit(int(outcome.stop))
