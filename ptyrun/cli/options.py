"""Which words do several commands share, and how are they read?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from ptyrun.cli.panels import Duration, PanelOption, flag, made, spelt
from ptyrun.config import Replanning, SessionOptions
from ptyrun.config.options import Panel, entries, gather
from ptyrun.errors import UsageError
from ptyrun.host.bucket import is_bucket
from ptyrun.texts import one_line

__all__ = ["Duration", "spelt"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_ARMS = "only_arm"
_APART = ("trust_model", "adopt")  # not every command that works on a run takes them


def add(options: Iterable[click.Option]) -> Callable[[_Command], _Command]:
    """Add options to a command, in their order; click makes the command of its function last."""

    def decorate(command: _Command) -> _Command:
        command.__dict__.setdefault("__click_params__", []).extend(reversed([*options]))
        return command

    return decorate


def _one(table: type[Any], name: str, parameter: str = "") -> list[PanelOption]:
    found = [entry for entry in entries(table) if entry.name == name]
    return [option for entry in found for option in made(entry, name=parameter)]


class Folder(click.Path):
    """A folder of this machine."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what names a bucket: it is no folder called `s3:`."""
        if is_bucket(value):
            raise UsageError(
                f"{one_line(str(value))} is not a folder",
                why="of a run in a bucket only status and report are shown",
                do="take `ptyrun status` or `ptyrun report --output FOLDER`, or give the folder "
                "from which it was published",
            )
        return super().convert(value, param, ctx)


def run_folder(command: _Command) -> _Command:
    """Add the argument RUN: the folder of a planned run."""
    return click.argument("run_dir", metavar="RUN", type=Folder())(command)


class Place(click.Path):
    """A path, or objects in a bucket: ``s3://BUCKET/PREFIX``, which stays text."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(path_type=Path, file_okay=file_okay, dir_okay=dir_okay)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave what names a bucket as it is."""
        return value if is_bucket(value) else super().convert(value, param, ctx)


def run_place(command: _Command) -> _Command:
    """Add the argument RUN: the folder of a run, or where one was published."""
    return click.argument("run_dir", metavar="RUN", type=Place(file_okay=False))(command)


def elsewhere(command: _Command) -> _Command:
    """Add the option that leaves the run's folder as it is."""
    return click.option(
        "--output",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        help="Write to this folder instead; RUN is only read (default: inside RUN).",
    )(command)


window = add(_one(SessionOptions, "window", "window_s"))
trust = add(_one(SessionOptions, "trust_model"))
adopt = add(_one(SessionOptions, "adopt"))
reuse = add(_one(Replanning, "reuse"))


def session(*, picks_arms: bool) -> Callable[[_Command], _Command]:
    """Add what bounds one session of work, with or without the word that picks arms."""
    chosen = [
        entry
        for entry in entries(SessionOptions)
        if entry.name not in _APART and (entry.name != _ARMS or picks_arms)
    ]
    return add(option for entry in chosen for option in made(entry))


def console(command: _Command) -> _Command:
    """Add the options that say how much a person wants to see."""
    level = PanelOption(
        [*spelt("--console-level"), "console_level"],
        panel=Panel.CONSOLE,
        shown="--console-level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
        help="Lowest level of the log that the console shows (default: WARNING).",
    )
    quiet = flag("--quiet", "Print results only, no progress.", Panel.CONSOLE)
    verbose = flag("--verbose", "Show the whole log on the console too.", Panel.CONSOLE)
    return add([quiet, verbose, level])(command)


def until_complete(command: _Command) -> _Command:
    """Add the option that repeats windows."""
    about = "Repeat this in fresh processes, one per window, until nothing is left."
    return add([flag("--until-complete", about, Panel.WINDOWS)])(command)


def session_options(given: dict[str, Any]) -> SessionOptions:
    """Take the session's words out of a command's parameters; None means as configured."""
    names = [entry.name for entry in entries(SessionOptions)]
    # A comparison takes the trust in its models as well.
    taken = {n: given.get(n) if n in _APART else given.pop(n, None) for n in names}
    given.pop("adopt", None)
    said = {name: each for name, each in taken.items() if each not in (None, ())}
    return SessionOptions(**gather(SessionOptions, said))
