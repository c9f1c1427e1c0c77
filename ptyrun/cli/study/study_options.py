"""Which words do the commands of a study share?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def hub(command: _Command) -> _Command:
    """Add the option that names the hub."""
    return click.option(
        "--hub",
        "--output-root",
        "hub_dir",
        required=True,
        metavar="HUB",
        type=click.Path(path_type=Path),
        help="Folder of the study.",
    )(command)


def threshold(command: _Command) -> _Command:
    """Add the option for the MS-SSIM that counts as low."""
    return click.option(
        "--ms-ssim-threshold",
        "threshold",
        type=float,
        help="Mean MS-SSIM below which reports say LOW (default: as the hub remembers, or 0.8).",
    )(command)


class Words(click.ParamType[Any]):
    """Words apart by commas or spaces."""

    name = "words"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Take them apart."""
        return value if isinstance(value, tuple) else tuple(str(value).replace(",", " ").split())


class Doses(Words):
    """Doses apart by commas or spaces."""

    name = "doses"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Read them as photons per frame."""
        try:
            return tuple(float(word) for word in super().convert(value, param, ctx))
        except ValueError:
            self.fail(f"{value!r} is no list of doses, such as 1000 or 1e3,1e4", param, ctx)


def scope(command: _Command) -> _Command:
    """Add the options that name doses, views and splits; each may be given several times."""
    for name, parameter, kind, about in reversed(
        (
            ("--dose", "doses", Doses(), "Dose in photons per frame"),
            ("--view", "views", Words(), "View, such as dense"),
            ("--splits", "splits", Words(), "Splits, such as train,test"),
        )
    ):
        command = click.option(
            name,
            parameter,
            type=kind,
            multiple=True,
            help=f"{about} that must be there; repeatable (default: as remembered in the hub).",
        )(command)
    return command


def flat(words: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    """The words of a repeated option in one row."""
    return tuple(word for each in words for word in each)
