"""``ptyrun study run``: make what a study still lacks, in windows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ptyrun.cli import options as shared
from ptyrun.cli.saying import say
from ptyrun.cli.study import words
from ptyrun.errors import ExitCode
from ptyrun.host.deadline import DEADLINE


@click.command("run", cls=words.StudyCommand)
@words.study
@words.session
@shared.until_complete
@click.option("--post-verify-only", is_flag=True, help="Only verify the hub, as `study verify`.")
@shared.console
@click.pass_context
def command(
    ctx: click.Context,
    /,
    config: Path | None,
    until_complete: bool,
    post_verify_only: bool,
    **given: Any,
) -> None:
    """Make every stage of a study that is not done. Safe to kill, safe to repeat."""
    from ptyrun.cli import console
    from ptyrun.study import working
    from ptyrun.study.asking import study_asked
    from ptyrun.study.telling import outcome_text, plan_text

    screen = console.Console.from_words(given)
    session = words.session_taken(given)
    DEADLINE.set_window(None if until_complete else session.window_s)
    runs = not (session.collect_only or post_verify_only)
    said = words.taken(given)
    study = study_asked(said, config, runs=runs)
    if post_verify_only:
        ctx.exit(working.verify_only(study, session, words.scope_of(said)))
    if session.collect_only:
        say(plan_text(study, working.standings(study)))
        return
    if until_complete:
        line = [word for word in sys.argv[1:] if word != "--until-complete"]
        ctx.exit(working.drive(study, session, line, screen))
    outcome = working.run(study, config, session, screen)
    is_part = bool(session.only)
    say(outcome_text(study, outcome, has_set_aside=session.clobber, is_part=is_part))
    is_whole = outcome.stop is ExitCode.COMPLETE and not session.only
    if is_whole and not session.skip_post_verify:
        ctx.exit(working.verify(study, session, screen))
    ctx.exit(int(outcome.stop))
