"""``ptyrun convert``: what one file holds, in a layout that every tool here reads."""

from __future__ import annotations

from pathlib import Path

import click

from ptyrun.cli.saying import say


@click.command("convert")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "out",
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write: .npz (in pixels) or .cxi (in metres).",
)
@click.option(
    "--as",
    "what",
    type=click.Choice(["scan", "reconstruction"]),
    help="What of FILE to write (default: the scan if there is one).",
)
@click.option(
    "--diffraction-kind",
    type=click.Choice(["amplitude", "intensity"]),
    help="Whether diffraction is amplitude or intensity, if the file does not say.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def command(
    file: Path, out: Path, what: str | None, diffraction_kind: str | None, overwrite: bool
) -> None:
    """Write the scan or reconstruction in FILE as NPZ or CXI, all of it or nothing."""
    from ptyrun.door.converting import convert
    from ptyrun.texts import one_line

    done = convert(file, out, what=what, diffraction_kind=diffraction_kind, overwrite=overwrite)
    for doubt in done.doubts:
        say(f"WARNING: {one_line(doubt)}", err=True)
    say(f"{one_line(str(out))}: the {done.kind} of {one_line(str(file))}")
