"""``ptyrun compare``: one comparison in windows, from its options to its report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ptyrun.cli import compare_config
from ptyrun.cli import options as shared
from ptyrun.cli.panels import PanelCommand
from ptyrun.errors import ExitCode
from ptyrun.host.deadline import DEADLINE

if TYPE_CHECKING:
    from ptyrun.door.all_stages import Outcome


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
    screen.session(outcome.run, _compared(outcome))
    if outcome.results is not None:
        say = screen.summary if outcome.is_repeated else screen.results
        say(outcome.results, config.output_dir)
    elif outcome.run.stop is ExitCode.COMPLETE:
        screen.results_are_left()
    ctx.exit(int(outcome.stop))


def _compared(outcome: Outcome) -> int | None:
    """How many reconstructions this call compared, where it had nothing to compute but that."""
    results = outcome.results
    if results is None or outcome.is_repeated or outcome.run.chunks_done:
        return None
    arms = results.arms.values()
    return None if any(arm.n_groups for arm in arms) else len(arms)
