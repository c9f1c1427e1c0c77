"""``ptyrun study status``: how far is a study?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words


@click.command("status", cls=words.StudyCommand)
@words.study
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, for programs.")
def command(config: Path | None, as_json: bool, **given: Any) -> None:
    """Show for every stage: done, pending, running, stale, failed or blocked, and why."""
    from ptyrun.study import identity
    from ptyrun.study.asking import study_asked
    from ptyrun.study.plan import graph
    from ptyrun.study.state import survey
    from ptyrun.study.telling import status_document, status_text

    study = study_asked(words.taken(given), config)
    identity.require_some(study.options)
    standings = survey(graph(study))
    if as_json:
        say(json.dumps(status_document(study, standings), indent=1))
    else:
        say(status_text(study, standings))
