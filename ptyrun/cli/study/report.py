"""``ptyrun study report``: a study in one text that a person can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words


@click.command("report", cls=words.StudyCommand)
@words.study
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report to this file, as Markdown.",
)
def command(config: Path | None, output: Path | None, **given: Any) -> None:
    """Show stages, durations and overlap metrics of a study as Markdown."""
    from ptyrun.host import durable
    from ptyrun.study import identity
    from ptyrun.study.asking import study_asked
    from ptyrun.study.plan import graph
    from ptyrun.study.state import survey
    from ptyrun.study.telling import report_text

    study = study_asked(words.taken(given), config)
    identity.require_some(study.options)
    text = report_text(study, survey(graph(study)))
    if output is None:
        say(text)
    else:
        durable.write_text(output, f"{text}\n")
        say(f"{output} is written")
