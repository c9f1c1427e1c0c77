"""``ptyrun study stage``: make one stage, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words
from ptyrun.errors import ExitCode


@click.command("stage", cls=words.StudyCommand)
@click.argument("key", metavar="STAGE")
@words.study
@words.trust
@click.option("--within", type=float, hidden=True)
@click.option("--told-all", is_flag=True, hidden=True)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    key: str,
    config: Path | None,
    within: float | None,
    told_all: bool,
    trust_model: tuple[str, ...],
    **given: Any,
) -> None:
    """Make one STAGE of a study, if the stages it needs are done; `plan` lists them."""
    from ptyrun.engine.window import Window
    from ptyrun.study import making
    from ptyrun.study.asking import study_asked
    from ptyrun.study.plan import graph
    from ptyrun.study.works import work_of

    study = study_asked(words.taken(given), config, runs=not told_all, is_told_all=told_all)
    try:
        made = making.make(graph(study), key, Window(within), work_of, trust_model)
    except making.OvertakenError as error:
        if not told_all:
            raise
        say(f"{key}: {error.what}")
        ctx.exit(making.OVERTAKEN)
    if not told_all:
        say(f"{key}: done")
    elif not made.is_new:  # for the session that told it: this process did nothing
        ctx.exit(int(ExitCode.INCOMPLETE))
