"""``ptyrun export``: results in one file for tools that do not know Zarr."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options
from ptyrun.cli.saying import say
from ptyrun.progress import Watcher


@click.command("export")
@options.run_folder
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "npz", "hdf5"]),
    help="What to write (default: inferred from the output's name).",
)
@click.option(
    "--output",
    type=options.Place(dir_okay=False),
    required=True,
    help="The file to write, or s3://BUCKET/PREFIX: there the whole finished run, or a study of "
    "which RUN is the hub, is published.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace the file, or the published run, if it exists.",
)
def command(run_dir: Path, kind: str | None, output: Path | str, overwrite: bool) -> None:
    """Write RUN's results into one file: csv has the figures, npz and hdf5 the objects too.

    With --output s3://BUCKET/PREFIX, publish RUN as it is, for `status`, `report` and `open_run`.
    """
    from ptyrun.cli import console
    from ptyrun.door.run import Run
    from ptyrun.door.watching import from_the_line
    from ptyrun.study.hub import Hub

    screen = console.Console()
    with from_the_line(screen):
        run = Run(run_dir)
        if not isinstance(output, str):
            say(str(run.export(output, format=kind, overwrite=overwrite)))
        elif Hub(run_dir).study.is_file():
            say(_published(run_dir, output, screen, overwrite=overwrite))
        else:
            say(run.publish(output, overwrite=overwrite))


def _published(hub: Path, url: str, screen: Watcher, *, overwrite: bool) -> str:
    from ptyrun.study import identity
    from ptyrun.study.asking import study_asked
    from ptyrun.study.published import publish_study

    study = study_asked({"hub": hub}, None)
    identity.require_some(study.options)
    return publish_study(study, url, overwrite=overwrite, watcher=screen)
