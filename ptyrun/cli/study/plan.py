"""``ptyrun study plan``: which stages does a study have, and what is still to be done?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words


@click.command("plan", cls=words.StudyCommand)
@words.study
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, for programs.")
def command(config: Path | None, as_json: bool, **given: Any) -> None:
    """List the stages with what they read and write, and why each one has to be made."""
    from ptyrun.study.asking import study_asked
    from ptyrun.study.plan import graph
    from ptyrun.study.state import survey
    from ptyrun.study.telling import plan_text, status_document

    study = study_asked(words.taken(given), config)
    standings = survey(graph(study))
    if as_json:
        say(json.dumps(status_document(study, standings), indent=1))
    else:
        say(plan_text(study, standings))
