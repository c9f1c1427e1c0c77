"""``ptyrun study start``: work on a study in the background, tracked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli import tracking
from ptyrun.cli.study import words
from ptyrun.errors import UsageError


@click.command("start", cls=words.StudyCommand)
@words.study
@words.session
@tracking.options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    config: Path | None,
    take_over: bool,
    foreground: bool,
    notify_command: str,
    log: str,
    **given: Any,
) -> None:
    """Make a study in the background: windows until all stages are done.

    Returns at once. `ptyrun wait`, `stop` and `logs` take the hub as they take a run.
    """
    from ptyrun.background.notice import notify
    from ptyrun.cli.console import Console
    from ptyrun.comparison.run import Run
    from ptyrun.study import background
    from ptyrun.study.asking import study_asked, words_of_study

    session = words.session_taken(given)
    if session.collect_only:
        raise UsageError(
            "--collect-only cannot be used with `study start`",
            why="it makes no stage, and a session in the background makes stages",
            do="use `ptyrun study plan`",
        )
    if session.only:
        raise UsageError(
            "--only cannot be used with `study start`",
            why="a session in the background ends when the whole study is complete",
            do="use `ptyrun study run --only ... --until-complete`, or leave --only out",
        )
    study = study_asked(words.taken(given), config, runs=True)
    said = [*words_of_study(study, config), *words.of_session(session)]
    if foreground:
        argv = tracking.become_session(log)
        screen = Console()
        code = background.track(study, said, argv, log, screen, take_over=take_over)
        notify(notify_command, Run(study.hub.root).paths, screen)
        ctx.exit(code)
    more = tracking.notify_words(notify_command)
    tracked = background.start(study, [*said, *more], take_over=take_over)
    tracking.tell(tracked, study.hub.root)
