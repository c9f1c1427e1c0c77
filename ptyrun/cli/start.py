"""``ptyrun start``: work on a run in the background, tracked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options, tracking
from ptyrun.cli.panels import PanelCommand


@click.command("start", cls=PanelCommand)
@options.run_folder
@options.session(picks_arms=False)
@options.trust
@options.reuse
@options.adopt
@tracking.options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    run_dir: Path,
    reuse: tuple[Path, ...],
    take_over: bool,
    foreground: bool,
    notify_command: str,
    log: str,
    **given: Any,
) -> None:
    """Complete RUN in the background: windows, finalize, report, a check of the content.

    Returns at once. completion.json appears when all of it is done; how the session ended otherwise
    is in process.json (`ptyrun wait`).
    """
    session = options.session_options(given)
    if foreground:
        argv = tracking.become_session(log)
        from ptyrun.background.notice import notify
        from ptyrun.background.tracked_session import track
        from ptyrun.cli.console import Console
        from ptyrun.comparison.run import Run

        screen, words = Console(), session.words(reuse)
        code = track(run_dir, argv, words, log, screen, take_over=take_over)
        notify(notify_command, Run(run_dir).paths, screen)
        ctx.exit(code)

    from ptyrun.cli import console
    from ptyrun.door import executors

    tracked = executors.start(
        run_dir,
        session,
        reuse,
        console.Console(),
        take_over=take_over,
        more=tracking.notify_words(notify_command),
    )
    tracking.tell(tracked, run_dir)
