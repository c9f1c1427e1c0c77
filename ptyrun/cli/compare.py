"""``ptyrun compare``: one comparison in windows, from its options to its report."""

from __future__ import annotations

import sys
from typing import Any

import click

from ptyrun.cli import compare_config
from ptyrun.cli import options as shared
from ptyrun.cli.panels import PanelCommand
from ptyrun.errors import ExitCode
from ptyrun.host.deadline import DEADLINE


@click.command("compare", cls=PanelCommand, epilog=compare_config.EPILOG)
@compare_config.options
@shared.session(picks_arms=True)
@shared.until_complete
@click.pass_context
def command(
    ctx: click.Context,
    /,
    until_complete: bool,
    **given: Any,
) -> None:
    """Compare the arms on one scan. Safe to kill, safe to repeat: the same command continues it."""
    from ptyrun.cli import console

    screen = console.Console.from_words(given)
    replanning = compare_config.replanning(given)
    session = shared.session_options(given)
    config = compare_config.configuration(given, new=replanning.new)
    if until_complete:
        from ptyrun.background import windows

        first = [word for word in sys.argv[1:] if word != "--until-complete"]
        # Only the first window may start over; the others go on with what it began.
        later = [word for word in first if word != "--new"]
        ctx.exit(windows.drive(config.output_dir, first, later, windows.has_results, screen))

    from ptyrun.door import all_stages

    DEADLINE.set_window(session.window_s)
    outcome = all_stages.compare(
        config,
        session,
        new=replanning.new,
        invalidate=replanning.invalidate,
        reuse=replanning.reuse,
        watcher=screen,
    )
    screen.session(outcome.run)
    if outcome.results is not None:
        say = screen.summary if outcome.is_repeated else screen.results
        say(outcome.results, config.output_dir)
    elif outcome.run.stop is ExitCode.COMPLETE:
        screen.results_are_left()
    ctx.exit(int(outcome.stop))
