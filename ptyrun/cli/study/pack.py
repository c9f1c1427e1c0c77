"""``ptyrun study pack``: a finished study as one archive."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli.saying import say
from ptyrun.texts import counted


@click.command("pack")
@click.argument("hub", type=click.Path(path_type=Path))
@click.argument("archive", type=click.Path(path_type=Path))
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The study.toml that the study was made with (default: the one in the hub, if any).",
)
def command(hub: Path, archive: Path, config: Path | None) -> None:
    """Write the finished study in HUB as one ZIP archive with RO-Crate metadata.

    It lists every file's SHA-256 and every stage's command, inputs and outputs. Refused
    while the study is not complete. `ptyrun study unpack` checks it on any machine.
    """
    from ptyrun.study.asking import study_asked
    from ptyrun.study.pack import pack

    n_files = pack(study_asked({"hub": hub}, config), archive)
    say(f"{archive}: {counted(n_files, 'file')}, {archive.stat().st_size / 1e6:.1f} MB")
