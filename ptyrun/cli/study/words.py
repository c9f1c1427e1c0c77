"""Which words do the commands of a study share, and how are they read?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from ptyrun.cli import options as shared
from ptyrun.cli.panels import PanelCommand, PanelOption, made
from ptyrun.config.options import Panel, entries, gather
from ptyrun.config.study import StudyOptions, StudySession, study_entries

_Command = TypeVar("_Command", bound=Callable[..., Any])
SCOPE = ("doses", "views", "splits")
_MANY = frozenset(
    word
    for table in (StudyOptions, StudySession)
    for entry in entries(table)
    for word in (entry.word, entry.option.also)
    if entry.is_many and word
)


class StudyCommand(PanelCommand):
    """A command whose lists may follow one word, as upstream's do: ``--splits train test``.

    Numbers may stand in one pair of quotes, too: ``--train-group-sizes "512 1024"``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the word of a list before each of its values."""
        spread: list[str] = []
        word = ""
        for each in args:
            if each.startswith("-"):
                word = each if each in _MANY else ""
                count = 0
            elif word:
                several = each.split() if each.replace(" ", "").isdecimal() else [each]
                values = [value for one in several for value in (word, one)]
                spread += values if count else values[1:]
                count += len(several)
                continue
            spread.append(each)
        return super().parse_args(ctx, spread)


def study(command: _Command) -> _Command:
    """Add what describes a study."""
    config = PanelOption(
        ["--config", "config"],
        panel=Panel.INPUTS,
        shown="--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Take the study from this file (default: study.toml in the hub, or here).",
    )
    rows = [option for entry in study_entries() for option in made(entry)]
    return shared.add([config, *rows])(command)


def _some(default: str, **about: str) -> Iterator[PanelOption]:
    """The words for some fields of a study alone, by what they do, and by default."""
    for entry in entries(StudyOptions):
        if entry.field in about:
            option = replace(entry.option, help=about[entry.field], default=default)
            yield from made(replace(entry, option=option, default=None))


def hub(command: _Command) -> _Command:
    """Add the word for the folder of a study that is there already."""
    options = [*_some("", hub="Folder of the study.")]
    for each in options:
        each.required = True
    return shared.add(options)(command)


def scope(command: _Command) -> _Command:
    """Add the words for what must be there."""
    about = {name: f"{name.title()[:-1]} that must be there." for name in SCOPE}
    return shared.add(_some("as the hub remembers, or holds", **about))(command)


def threshold(command: _Command) -> _Command:
    """Add the option for the MS-SSIM that counts as low."""
    return click.option(
        "--ms-ssim-threshold",
        "ms_ssim_threshold",
        type=float,
        metavar="SSIM",
        help="Mean MS-SSIM below which reports say LOW (default: the hub's last value, else 0.8).",
    )(command)


def trust(command: _Command) -> _Command:
    """Add the word for models that may run code of their own."""
    rows = (entry for entry in entries(StudySession) if entry.field == "trusted_arms")
    return shared.add(o for entry in rows for o in made(entry))(command)


def session(command: _Command) -> _Command:
    """Add how long and with what help a study is worked on."""
    return shared.add(o for entry in entries(StudySession) for o in made(entry))(command)


def taken(given: dict[str, Any]) -> dict[str, Any]:
    """Take what was said of the study out of a command's parameters, by the options' names."""
    names = [entry.name for entry in entries(StudyOptions)]
    found = {name: given.pop(name, None) for name in names}
    said = {name: value for name, value in found.items() if value not in (None, ())}
    gather(StudyOptions, said)  # refuses what nothing could be done with
    return said


def scope_of(said: Mapping[str, Any]) -> list[str]:
    """Spell which doses, views and splits were said."""
    names = (name for name in ("dose", "view", "splits") if name in said)
    return [word for name in names for each in said[name] for word in (f"--{name}", str(each))]


def of_session(session: StudySession) -> list[str]:
    """Spell what was said of the session."""
    rows = entries(StudySession)
    return [word for entry in rows for word in entry.words(getattr(session, entry.field))]


def session_taken(given: dict[str, Any]) -> StudySession:
    """Take what was said of the session out of a command's parameters."""
    names = [entry.name for entry in entries(StudySession)]
    found = {name: given.pop(name, None) for name in names}
    said = {name: value for name, value in found.items() if value is not None}
    return StudySession(**gather(StudySession, said))
