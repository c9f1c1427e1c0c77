"""``ptyrun doctor``: is this machine fit for ptyrun?"""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli.saying import say


@click.command("doctor")
@click.argument(
    "folder", type=click.Path(exists=True, path_type=Path, file_okay=False), default="."
)
def command(folder: Path) -> None:
    """Show what this machine has: versions, devices, confinement, and the file system of FOLDER.

    No framework is imported, and no file is left behind.
    """
    from ptyrun.door.doctor import examine
    from ptyrun.texts import one_line

    for finding in examine(folder):
        say(f"{finding.topic:<12} {one_line(finding.found)}")
        if finding.do:
            say(f"{'':<12} -> {one_line(finding.do)}")
