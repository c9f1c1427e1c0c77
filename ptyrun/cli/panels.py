"""How does a row of a table of options become an option of the command line, and stand in help?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import click
import click.shell_completion

from ptyrun.config.options import DURATION, Entry, Panel, Place, name_of, negated
from ptyrun.durations import parse_duration
from ptyrun.errors import UsageError

_WIDEST = 26  # of the column of options, on a terminal of 80


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
            if param is None:
                raise
            raise UsageError(f"{shown_word(param)}: {error.what}", error.why, error.do) from error


class Count(click.IntRange):
    """A number, or one of the words that stand for one."""

    def __init__(self, named: Mapping[str, int], least: int) -> None:
        super().__init__(min=least)
        self._named = named

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number or the word."""
        if str(value).lower() in self._named:
            return self._named[str(value).lower()]
        found = super().convert(value, param, ctx)
        assert isinstance(found, int)
        return found


class PanelOption(click.Option):
    """An option that knows under which heading it stands, and in which of its spellings."""

    def __init__(
        self, *args: Any, panel: Panel, shown: str, must_be: str = "", **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.must_be = must_be
        self.panel = panel
        self._shown = shown

    @property
    def shown_words(self) -> list[str]:
        """The spellings that stand in help; none of a former word."""
        return [] if self.hidden else self._shown.split(" / ")

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Give what stands in help: one spelling, and what it does."""
        if self.hidden:
            return None
        value = "" if self.is_flag else f" {self.make_metavar(ctx)}"
        return f"{self._shown}{value}", self.help or ""


class PanelCommand(click.Command):
    """A command whose help has a panel for each kind of options."""

    def panels(self, ctx: click.Context) -> dict[str, dict[str, list[str]]]:
        """Give by panel what options do, and which; those of several arms share a row."""
        panels: dict[str, dict[str, list[str]]] = {panel: {} for panel in Panel}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                panel = parameter.panel if isinstance(parameter, PanelOption) else "Other"
                panels.setdefault(panel, {}).setdefault(record[1], []).append(record[0])
        return {panel: rows for panel, rows in panels.items() if rows}

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Offer options in the spelling of help, or in that of the word that was begun."""
        found = super().shell_complete(ctx, incomplete)
        if "_" in incomplete:
            return found
        return [item for item in found if not (item.value[:2] == "--" and "_" in item.value)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the panels."""
        for panel, rows in self.panels(ctx).items():
            with formatter.section(panel):
                # As wide everywhere: the eye finds its column again.
                table = [(", ".join(words).ljust(_WIDEST), text) for text, words in rows.items()]
                formatter.write_dl(table, col_max=_WIDEST)


def shown_word(parameter: click.Parameter) -> str:
    """Give the one spelling of a parameter that help shows."""
    if isinstance(parameter, PanelOption) and parameter.shown_words:
        return parameter.shown_words[0]
    is_option = isinstance(parameter, click.Option)
    return parameter.opts[0] if is_option else parameter.human_readable_name


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


def dashed(word: str) -> str:
    """Give the one spelling that help shows; with underscores it is taken as well.

    Examples
    --------
    >>> dashed("--test_data")
    '--test-data'
    """
    return word.replace("_", "-")


def flag(word: str, about: str, panel: Panel, *, name: str = "") -> PanelOption:
    """Make an option that is said or not."""
    name = name or name_of(word)
    return PanelOption(
        [*spelt(word), name], panel=panel, shown=dashed(word), is_flag=True, help=about
    )


def _switch(word: str, about: str, panel: Panel, shown: str) -> PanelOption:
    """Make an option that can also be turned off; None where neither is said."""
    pairs = map("/".join, zip_longest(spelt(word), spelt(negated(word)), fillvalue=" "))
    settings: dict[str, Any] = {"is_flag": True, "default": None, "help": about}
    return PanelOption([*pairs, name_of(word)], panel=panel, shown=shown, **settings)


def made(entry: Entry, *, name: str = "") -> Iterator[PanelOption]:
    """Make the options of a row of a table: none is given until somebody says it.

    Parameters
    ----------
    entry : Entry
    name : str
        What the parameter is called; by default as the option.
    """
    option, panel = entry.option, entry.option.panel
    assert panel is not None
    if option.switches:
        for switch in option.switches:
            yield _switch(switch.word, switch.help, panel, dashed(switch.word))
    elif entry.kind is bool:
        word = dashed(entry.word)
        both = f"{word} / {negated(word)}"
        yield _switch(entry.word, entry.help, panel, both if entry.default else word)
    else:
        words = [word for word in (entry.word, option.also) if word]
        settings: dict[str, Any] = {"type": _kind(entry), "multiple": entry.is_many}
        shown: dict[str, Any] = {"metavar": option.value or entry.place, "help": entry.help}
        settings["must_be"] = entry.allowed
        name = name or entry.name
        yield PanelOption(
            [*spelt(*words), name], panel=panel, shown=dashed(entry.word), **settings, **shown
        )
        if option.former:
            former, old = spelt(option.former), name_of(option.former)
            yield PanelOption([*former, old], panel=panel, shown="", hidden=True, **settings)


def _kind(entry: Entry) -> click.ParamType[Any]:
    option = entry.option
    if entry.place is not None:
        return _path(entry, entry.place)
    if entry.choices:
        return click.Choice(entry.choices)
    if option.value == DURATION:
        return Duration()
    if option.named:
        return Count(option.named, int(option.least or 0))
    if entry.kind is int:
        return click.IntRange(min=None if option.least is None else int(option.least))
    if entry.kind is float:
        return click.FloatRange(min=option.least, max=option.most)
    return click.STRING


def _path(entry: Entry, place: Place) -> click.Path:
    is_run = place is Place.RUN
    return click.Path(
        path_type=entry.kind,
        file_okay=not is_run,
        dir_okay=place is not Place.FILE,
        exists=is_run and entry.is_many,
        resolve_path=is_run,
    )
