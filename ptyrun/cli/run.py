"""``ptyrun run``: one session of work on a planned run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options
from ptyrun.cli.panels import PanelCommand
from ptyrun.cli.saying import say
from ptyrun.host.deadline import DEADLINE


@click.command("run", cls=PanelCommand)
@options.run_folder
@options.session(picks_arms=True)
@options.trust
@options.reuse
@options.adopt
@options.until_complete
@options.console
@click.option("--arm", "former_arms", multiple=True, hidden=True, help="Old name of --only-arm.")
@click.option(
    "--crew", default="", hidden=True, help="The window that a worker shares with others."
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    run_dir: Path,
    reuse: tuple[Path, ...],
    until_complete: bool,
    former_arms: tuple[str, ...],
    crew: str,
    **given: Any,
) -> None:
    """Compute what RUN still lacks. Safe to kill, safe to repeat."""
    from ptyrun.cli import console
    from ptyrun.door import executors

    seen = console.words(given)
    screen = console.Console.from_words(given, bars=not crew)
    if former_arms:
        say("warning: --arm is deprecated here; use --only-arm", err=True)
        given["only_arm"] = (*given["only_arm"], *former_arms)
    session = options.session_options(given)
    if until_complete:
        from ptyrun.background import windows

        words = ["run", str(run_dir), *session.words(reuse), *seen]
        ctx.exit(
            windows.drive(
                run_dir,
                words,
                words,
                lambda paths: windows.is_computed(paths, session.arms),
                screen,
            )
        )

    DEADLINE.set_window(session.window_s)
    outcome = executors.work(run_dir, replace(session, crew=crew), reuse, screen)
    screen.session(outcome)
    ctx.exit(int(outcome.stop))
