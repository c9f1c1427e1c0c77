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
    help="What to write; told from the output's name when left away.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def command(run_dir: Path, kind: str | None, output: Path, overwrite: bool) -> None:
    """Write RUN's results into one file: csv has the figures, npz and hdf5 the objects too."""
    from ptyrun.cli import console
    from ptyrun.door.run import Run
    from ptyrun.door.watching import from_the_line

    with from_the_line(console.Console()):
        say(str(Run(run_dir).export(output, format=kind, overwrite=overwrite)))
