"""``ptyrun inspect``: what do files hold, and how would they be read?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ptyrun.cli.saying import say
from ptyrun.errors import ExitCode


@click.command("inspect")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--diffraction-kind",
    type=click.Choice(["amplitude", "intensity"]),
    help="Whether diffraction is amplitude or intensity, if the file does not say.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context, files: tuple[Path, ...], diffraction_kind: str | None, as_json: bool
) -> None:
    """Show what each FILE is and holds, how ptyrun would read it, and what looks doubtful.

    Scans, reconstructions and models; nothing is written, no model is run. Exits with 2 if a file
    cannot be read as any of them.
    """
    from ptyrun.door.inspecting import SCHEMA, inspect

    found = [inspect(file, diffraction_kind) for file in files]
    if as_json:
        say(json.dumps({"schema": SCHEMA, "files": found}, indent=2))
    else:
        for document in found:
            _tell(document)
    ctx.exit(int(ExitCode.USAGE if any(d["refused"] for d in found) else ExitCode.COMPLETE))


def _tell(document: dict[str, Any]) -> None:
    from ptyrun.texts import one_line

    say(one_line(document["file"]))
    for part in document["parts"]:
        say(f"  {part['kind']}, read as {one_line(part['layout'])} ({one_line(part['reader'])})")
        for name, value in part["facts"].items():
            if value is not None:
                say(f"    {name:<18} {one_line(_shown(value))}")
        for note in part["notes"]:
            say(f"    note: {one_line(note)}")
        for doubt in part["doubts"]:
            say(f"    DOUBT: {one_line(doubt)}")
    for error in document["refused"]:
        say(f"  not read: {one_line(error['what'])}")
        say(f"    why: {one_line(error['why'])}")
        say(f"    do:  {one_line(error['do'])}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return (
            " to ".join(map(_shown, value))
            if any(isinstance(each, float) for each in value)
            else " x ".join(map(str, value))
        )
    return str(value)
