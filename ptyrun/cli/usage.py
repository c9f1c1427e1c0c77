"""What does a command line say that cannot be read: what, why, what to do?"""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

from ptyrun.cli.panels import PanelOption, dashed, shown_word
from ptyrun.errors import UsageError

# How click begins to say that a value is refused.
_FOUND = re.compile(r"(?P<value>'.*?'|\S+) is not (?:in the range|a valid|one of)", re.DOTALL)
_EXTRA = re.compile(r"Got unexpected extra arguments? \((?P<words>.*)\)", re.DOTALL)


def explained(error: click.UsageError) -> UsageError:
    """Say of words that click refuses what is wrong, why, and what to do."""
    command = "ptyrun"
    if error.ctx is not None:
        command = " ".join([command, *error.ctx.command_path.split()[1:]])
    if isinstance(error, click.NoSuchCommand):
        known = _commands(error.ctx)
        return UsageError(
            f"there is no command {error.command_name!r}",
            why=f"`{command}` has {', '.join(known)}{_meant(error.command_name, known)}",
            do=f"correct it; `{command} --help` says what each does",
        )
    if isinstance(error, click.NoSuchOption):
        near = _meant(dashed(error.option_name), _shown_words(error.ctx))
        return UsageError(
            f"there is no option {error.option_name!r}",
            why=f"`{command}` has none of that name{near}",
            do=f"correct it; `{command} --help` lists all",
        )
    if isinstance(error, click.BadParameter):
        return _of_value(error, command)
    if extra := _EXTRA.match(error.message):
        return UsageError(
            f"too many words: {extra['words']}",
            why=_usage(error, command),
            do="leave out what is too much, and put names with spaces in quotes; "
            f"`{command} --help` says what it takes",
        )
    return UsageError(
        error.message.rstrip("."),
        why=_usage(error, command),
        do=f"correct it; `{command} --help` says what it takes",
    )


def _of_value(error: click.BadParameter, command: str) -> UsageError:
    word = "the command" if error.param is None else shown_word(error.param)
    help_said = f"`{command} --help` says what it is"
    if isinstance(error, click.MissingParameter):
        why = f"`{command}` cannot do without it"
        return UsageError(f"{word} is missing", why, f"give it; {help_said}")
    found = _FOUND.match(error.message)
    must_be = error.param.must_be if found and isinstance(error.param, PanelOption) else ""
    value = f": {found['value']}" if found else ""
    return UsageError(
        f"invalid {word}{value}",
        why=f"it must be {must_be}" if must_be else error.message.rstrip("."),
        do=f"correct {word}; {help_said}",
    )


def _usage(error: click.UsageError, command: str) -> str:
    if error.ctx is None:
        return "the command does not take it"
    pieces = error.ctx.command.collect_usage_pieces(error.ctx)
    return f"it is called like this: `{' '.join([command, *pieces])}`"


def _commands(ctx: click.Context | None) -> list[str]:
    if ctx is None or not isinstance(ctx.command, click.Group):
        return []
    return ctx.command.list_commands(ctx)


def _shown_words(ctx: click.Context | None) -> list[str]:
    """Give the options of a command as help shows them."""
    words: list[str] = []
    for parameter in [] if ctx is None else ctx.command.get_params(ctx):
        if isinstance(parameter, PanelOption):
            words += parameter.shown_words
        elif isinstance(parameter, click.Option) and not parameter.hidden:
            words += [*parameter.opts, *parameter.secondary_opts]
    return words


def _meant(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # at the start of each process, and rarely needed

    near = get_close_matches(word, list(known))
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
