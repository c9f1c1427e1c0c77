"""``ptyrun run``: one session of work on a planned run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options
from ptyrun.cli.panels import PanelCommand
from ptyrun.host.deadline import DEADLINE


@click.command("run", cls=PanelCommand)
@options.run_folder
@options.session("--arm")
@options.trust
@options.reuse
@options.adopt
@options.until_complete
@options.console
@click.option("--crew", default="", hidden=True, help="With whom a worker shares a window.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    run_dir: Path,
    reuse: tuple[Path, ...],
    until_complete: bool,
    crew: str,
    **given: Any,
) -> None:
    """Compute what RUN still lacks. Safe to kill, safe to repeat."""
    from ptyrun.cli import console
    from ptyrun.door import executors

    seen = console.words(given)
    screen = console.Console.from_words(given, bars=not crew)
    if until_complete:
        from ptyrun.background import windows

        session = options.session_options(given)
        words = ["run", str(run_dir), *session.words(), *options.reuse_words(reuse), *seen]
        ctx.exit(
            windows.drive(
                run_dir,
                words,
                words,
                lambda paths: windows.is_computed(paths, session.arms),
                screen,
            )
        )

    session = replace(options.session_options(given), crew=crew)
    DEADLINE.set_window(session.window_s)
    session = executors.admitted(run_dir, session, screen)
    if not (crew or reuse or session.dask):
        from ptyrun.comparison import next_step
        from ptyrun.engine.window import Window

        window = Window(session.window_s)
        next_step.require_window(run_dir, window, chunks_of=session.arms, makes=())
    if reuse:
        from ptyrun.engine.window import Window
        from ptyrun.stages.reuse import reuse as take_over

        take_over(run_dir, reuse, window=Window(session.window_s), watcher=screen)
    outcome = executors.chosen(session)(run_dir, session, screen)
    screen.session(outcome)
    ctx.exit(int(outcome.stop))
