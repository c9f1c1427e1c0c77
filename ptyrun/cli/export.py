"""``ptyrun export``: results in one file for tools that do not know Zarr."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli import options
from ptyrun.cli.saying import say


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
    help="The file to write, or s3://BUCKET/PREFIX: there the whole finished run is published.",
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

    with from_the_line(console.Console()):
        run = Run(run_dir)
        if isinstance(output, str):
            say(run.publish(output, overwrite=overwrite))
        else:
            say(str(run.export(output, format=kind, overwrite=overwrite)))
