"""Which words do several commands share, and how are they read?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ptyrun.config import SessionOptions
from ptyrun.durations import parse_duration
from ptyrun.errors import UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SESSION_NAMES = (
    "window_s",
    "max_chunks",
    "shared_folder",
    "device_wait_s",
    "lock_cpu",
    "workers",
    "dask",
    "require_debug",
)


class Duration(click.ParamType[float]):
    """Seconds, written like 170s, 2.5m or 1h30m."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the text; what is already a number passes."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


def spelt(*names: str) -> tuple[str, ...]:
    """Every option name with dashes and with underscores, as upstream mixes them.

    Examples
    --------
    >>> spelt("--pinn_dir")
    ('--pinn-dir', '--pinn_dir')
    """
    spellings: list[str] = []
    for name in names:
        stem = name[2:]
        for variant in (f"--{stem.replace('_', '-')}", f"--{stem.replace('-', '_')}"):
            if variant not in spellings:
                spellings.append(variant)
    return tuple(spellings)


def run_folder(command: _Command) -> _Command:
    """Add the argument RUN: the folder of a planned run."""
    return click.argument(
        "run_dir", metavar="RUN", type=click.Path(path_type=Path, file_okay=False)
    )(command)


window = click.option(
    "--window",
    "window_s",
    type=Duration(),
    help="Wall time this session may use, counted from process start, e.g. 170s.",
)


def session(arm_option: str | None = None) -> Callable[[_Command], _Command]:
    """Add what bounds one session of work; *arm_option* is the word that picks arms, if any."""
    options = [
        window,
        click.option("--max-chunks", type=click.IntRange(min=1), help="Stop after so many chunks."),
        click.option(
            "--shared-folder",
            is_flag=True,
            default=None,
            help="Claim by leases: several hosts work on this run through a network folder.",
        ),
        click.option(
            "--device-wait",
            "device_wait_s",
            type=Duration(),
            help="How long to wait for a GPU that another run holds (default: not at all).",
        ),
        click.option(
            "--lock-cpu",
            is_flag=True,
            default=None,
            help="Share the CPU with no other run that asks for this.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            help="Compute with so many processes side by side.",
        ),
        click.option(
            "--dask",
            metavar="ADDRESS",
            help="Compute on the workers of the Dask cluster whose scheduler listens there; they "
            "share the run's folder.",
        ),
        click.option(
            "--require-debug",
            type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
            metavar="RUN",
            help="Begin only if this smaller run of the same models and scan is complete, with "
            "every byte checked.",
        ),
    ]
    if arm_option is not None:
        only = "Work on this arm only (repeatable)."
        options.append(click.option(arm_option, "only_arms", multiple=True, help=only))

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def trust(command: _Command) -> _Command:
    """Add the option that lets a model run code of its own."""
    return click.option(
        *spelt("--trust-model"),
        "trusted_arms",
        multiple=True,
        metavar="ARM",
        help="Let the model of this arm run its maker's code, with your rights: needed for .pt2, "
        "TorchScript, SavedModels and bundles with layers of their own (repeatable).",
    )(command)


reuse = click.option(
    "--reuse",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True, resolve_path=True),
    metavar="RUN",
    help="Take over chunks of another run that hold the same groups of the same network, after a "
    "check of every byte (repeatable).",
)


def reuse_words(folders: Sequence[Path]) -> list[str]:
    """What ``ptyrun run`` is told, so that it takes chunks over from *folders*."""
    return [word for folder in folders for word in ("--reuse", str(folder))]


def adopt(command: _Command) -> _Command:
    """Add the option that believes a run which somebody else planned."""
    return click.option(
        "--adopt",
        is_flag=True,
        help="Believe a run that was planned by somebody else, or on another machine: its "
        "factories, plug-ins and folders are used with your rights. Needed once.",
    )(command)


def console(command: _Command) -> _Command:
    """Add the options that say how much a person wants to see."""
    for option in (
        click.option(
            *spelt("--console-level"),
            "console_level",
            type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
            help="From which level on the console shows the log (default WARNING).",
        ),
        click.option("--verbose", is_flag=True, help="Everything, to the console too."),
        click.option("--quiet", is_flag=True, help="Results only."),
    ):
        command = option(command)
    return command


def until_complete(command: _Command) -> _Command:
    """Add the option that repeats windows."""
    return click.option(
        "--until-complete",
        is_flag=True,
        help="Repeat this in fresh processes, one per window, until nothing is left.",
    )(command)


def session_options(given: dict[str, Any]) -> SessionOptions:
    """Take the session's words out of a command's parameters; None means as configured."""
    chosen = {name: given.pop(name) for name in _SESSION_NAMES}
    arms = given.pop("only_arms", ())
    if chosen["workers"] and chosen["dask"]:
        raise UsageError(
            "--workers and --dask contradict each other",
            why="workers are either processes here, or those of the cluster",
            do="give one of them; `dask worker --nworkers` says how many a cluster has",
        )
    return SessionOptions(
        arms=tuple(arms) or None,
        trusted_arms=tuple(given.get("trusted_arms", ())),
        adopt=bool(given.pop("adopt", False)),
        **{name: value for name, value in chosen.items() if value is not None},
    )
