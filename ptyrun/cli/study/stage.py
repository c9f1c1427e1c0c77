"""``ptyrun study stage``: make one stage, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words


@click.command("stage", cls=words.StudyCommand)
@click.argument("key", metavar="STAGE")
@words.study
@click.option("--within", type=float, hidden=True)
@click.option("--told-all", is_flag=True, hidden=True)
def command(
    key: str, config: Path | None, within: float | None, told_all: bool, **given: Any
) -> None:
    """Make STAGE of a study, if what it needs is done; `plan` lists the stages."""
    from ptyrun.engine.window import Window
    from ptyrun.study import making
    from ptyrun.study.asking import study_asked
    from ptyrun.study.plan import graph
    from ptyrun.study.works import work_of

    study = study_asked(words.taken(given), config, runs=not told_all, is_told_all=told_all)
    making.make(graph(study), key, Window(within), work_of)
    if not told_all:  # else who told it sees for itself
        say(f"{key}: done")
