"""``ptyrun compare``: one comparison in windows, from its options to its report."""

from __future__ import annotations

from typing import Any

import click

from ptyrun.cli import comparing
from ptyrun.cli import options as shared


@click.command("compare")
@comparing.options
@shared.session("--only-arm")
@click.pass_context
def command(ctx: click.Context, /, new: bool, invalidate: tuple[str, ...], **given: Any) -> None:
    """Compare the arms on one scan. Safe to kill, safe to repeat: called again, it continues."""
    from ptyrun import comparison
    from ptyrun.cli import console

    session = shared.session_options(given)
    screen = console.Console.from_words(given)
    config = comparing.configuration(given)
    outcome = comparison.compare(config, session, new=new, invalidate=invalidate, watcher=screen)
    screen.session(outcome.run)
    if outcome.results is not None:
        screen.results(outcome.results, config.output_dir)
    ctx.exit(int(outcome.stop))
