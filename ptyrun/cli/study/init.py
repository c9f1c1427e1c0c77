"""``ptyrun study init``: write a commented study.toml."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ptyrun.cli.saying import say
from ptyrun.cli.study import words


@click.command("init", cls=words.StudyCommand)
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), default="study.toml")
@words.study
def command(path: Path, config: Path | None, **given: Any) -> None:
    """Write a commented study.toml with the given options, and the defaults of the others."""
    from ptyrun.study import config_file

    said = words.taken(given)
    file = {} if config is None else config_file.StudyFile(config).options
    found = {**file, **said}
    for name in ("hub", "base_npz"):
        if name in found:
            found[name] = Path(found[name]).absolute()
    found.setdefault("hub", Path())
    config_file.write_new(path, config_file.written(found))
    plan = shlex.join(["ptyrun", "study", "plan", "--config", str(path)])
    say(f"{path} is written: `{plan}` shows what it makes")
