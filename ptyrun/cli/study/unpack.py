"""``ptyrun study unpack``: an archive of a study as a hub again, every byte checked."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ptyrun.cli.saying import say
from ptyrun.errors import UsageError
from ptyrun.texts import counted


@click.command("unpack")
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--check", "only_check", is_flag=True, help="Check every byte; write nothing.")
def command(archive: Path, folder: Path | None, only_check: bool) -> None:
    """Make the hub FOLDER of an ARCHIVE that `study pack` wrote, if every byte is right."""
    from ptyrun.study.pack import check, unpack

    if only_check is (folder is not None):
        raise UsageError(
            "give either a folder for the hub, or --check",
            why="both were given" if only_check else "neither was given",
            do="give FOLDER or --check",
        )
    if folder is None:
        say(f"OK: {counted(check(archive), 'file')}, every byte as it was packed")
    else:
        n_files = unpack(archive, folder)
        say(f"{folder}: {counted(n_files, 'file')}, every byte as it was packed")
        verify = shlex.join(["ptyrun", "study", "verify", "--hub", str(folder)])
        say(f"`{verify}` checks what they say")
