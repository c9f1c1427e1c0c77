"""Which words describe a comparison, and how do they become its configuration?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ptyrun.cli.options import add, console, trust
from ptyrun.cli.panels import PanelOption, flag, made
from ptyrun.cli.saying import say
from ptyrun.comparison import request
from ptyrun.config import CompareConfig, Replanning
from ptyrun.config.options import Panel, entries, gather, name_of
from ptyrun.errors import UsageError

EPILOG = (
    "Every option may be spelt with - or _. --no-OPTION turns off what the file of --config turns "
    "on, like --no-save-debug-images."
)


def options(command: Any) -> Any:
    """Add every option that describes a comparison or replaces one, and the console's."""
    file = PanelOption(
        ["--config", "config"],
        panel=Panel.INPUTS,
        shown="--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Take the comparison from this TOML file, like the config.toml of a run. Options on "
        "the command line win; relative paths begin at the file's folder; no file can grant trust.",
    )
    bundles = "Old spelling of --trust-model for every arm that is one of upstream's bundles."
    canvas = "Accepted for compatibility, changes nothing: patches lie on the object's own grid."
    described = [option for entry in request.options() for option in made(entry)]
    replacing = [option for entry in entries(Replanning) for option in made(entry)]
    command = add([flag("--trust-bundle", bundles, Panel.NETWORKS)])(command)
    command = add([flag("--fixed-canvas", canvas, Panel.EVALUATION)])(command)
    return add([file, *described])(trust(add(replacing)(console(command))))


def replanning(given: dict[str, Any]) -> Replanning:
    """Take out of a command's parameters what is done with a run that is there already."""
    names = [entry.name for entry in entries(Replanning)]
    said = {name: each for name in names if (each := given.pop(name)) not in (None, ())}
    return Replanning(**gather(Replanning, said))


def configuration(
    given: Mapping[str, Any], *, new: bool = False, dry_run: bool = False
) -> CompareConfig:
    """Build the configuration from the command's parameters; None means as configured.

    See `ptyrun.comparison.config_file.configuration`.
    """
    from ptyrun.comparison import config_file

    said = {name: value for name, value in given.items() if value not in (None, ())}
    said = _with_modern_names(said)
    trusted, bundles = said.get("trust_model", ()), bool(said.get("trust_bundle"))
    return config_file.configuration(
        said, trusted=trusted, trusts_bundles=bundles, new=new, dry_run=dry_run
    )


def _with_modern_names(said: dict[str, Any]) -> dict[str, Any]:
    found = dict(said)
    for entry in request.options():
        former = entry.option.former
        if not former or name_of(former) not in found:
            continue
        say(f"warning: {former} is deprecated; use {entry.word}", err=True)
        if entry.name in found:
            raise UsageError(
                f"{former} and {entry.word} are both given",
                why="the first is the old name of the second",
                do=f"keep {entry.word}",
            )
        found[entry.name] = found.pop(name_of(former))
    return found
