"""How is an option written once, and what follows from it?

A field of a dataclass, annotated ``Annotated[type, Option(...)]``; its default is the field's. What
the command line takes, what a configuration file may hold, the words that repeat a run and the list
in the documents are made from such tables.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from ptyrun.config import bounds
from ptyrun.durations import parse_duration
from ptyrun.errors import UsageError

_MOST_INT = 2**63 - 1  # what a manifest and every library hold

DURATION = "DURATION"
ROLE = "{role}"


class Panel(StrEnum):
    """Under which heading of ``--help`` an option stands."""

    INPUTS = "Inputs"
    SELECTION = "Selection"
    NETWORKS = "Networks"
    EVALUATION = "Evaluation"
    OUTPUT = "Output"
    WINDOWS = "Windows"
    MACHINE = "Processes and devices"
    EARLIER = "What is there already"
    CONSOLE = "Console"


class Place(StrEnum):
    """What a path leads to; its name stands for the value in help."""

    FILE = "FILE"
    ANY = "PATH"
    FOLDER = "FOLDER"
    RUN = "RUN"


@dataclass(frozen=True)
class Switch:
    """A word without a value, and the value that it stands for."""

    word: str
    means: Any
    help: str


@dataclass(frozen=True)
class Option:
    """What a field is on the command line.

    Parameters
    ----------
    word : str
        As documents spell it; dashes and underscores are the same everywhere. With ``{role}`` in it
        there is one for each of `roles`; empty for what only ``--arm`` knows.
    help : str
        What it does. The unit stands in `value`, the default is added.
    panel : Panel
    value : str
        What stands for the value: its unit where it has one.
    default : str
        How the default is said where it is None.
    least, above, most : float, optional
        Bounds of numbers; `above` itself is none of them.
    place : Place, optional
        For paths, what they lead to.
    named : mapping
        Words that stand for a value, like ``all`` for 0.
    switches : tuple of Switch
        Words in place of `word`, one for each value but the default.
    also, former : str
        Another word of the same meaning; one that is taken with a warning.
    key : str
        What the field is called within ``--arm``.
    roles : tuple of str
        Arms that have this option.
    """

    word: str = ""
    help: str = ""
    panel: Panel | None = None
    value: str = ""
    default: str = ""
    least: float | None = None
    above: float | None = None
    most: float | None = None
    place: Place | None = None
    choices: tuple[str, ...] = ()
    named: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    switches: tuple[Switch, ...] = ()
    also: str = ""
    former: str = ""
    key: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One option, with what its field says of it: a row of the table."""

    field: str
    option: Option
    kind: type[Any]
    is_many: bool
    is_required: bool
    default: Any
    word: str
    role: str = ""

    @property
    def name(self) -> str:
        """What it is called in Python and in a configuration file."""
        return name_of(self.word)

    @property
    def place(self) -> Place | None:
        """What it leads to, if it is a path."""
        return self.option.place or (Place.ANY if self.kind is Path else None)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it may have, if they are few."""
        if issubclass(self.kind, StrEnum):
            return tuple(each.value for each in self.kind)
        return self.option.choices

    @property
    def help(self) -> str:
        """What it does, with its default."""
        text, default = self.option.help, self.option.default
        if not default and self.default is not None and self.default != () and text:
            shown = {True: "on", False: ""}.get(self.default) if self.kind is bool else self.default
            each = shown if isinstance(shown, tuple) else (shown,)
            default = ", ".join(f"{x:g}" if isinstance(x, float) else str(x) for x in each)
        if self.is_required and not self.is_many and self.place is not None and not self.role:
            default = ""
            text = f"{text} Required."
        if default:
            text = f"{text[:-1]} (default: {default})."
        return f"{text} May be repeated." if self.is_many else text

    def read(self, value: Any) -> Any:
        """Take a value as Python or a file gives it; what the command line read passes.

        Raises
        ------
        UsageError
            If it is of another type, or out of bounds.
        """
        if self.is_many:
            if not isinstance(value, list | tuple):
                raise self._refusal(value, "a list")
            return tuple(self._read(each) for each in value)
        return self._read(value)

    def _read(self, value: Any) -> Any:
        if isinstance(value, str) and value in self.option.named:
            return self.option.named[value]
        typed = self._typed(value)
        self.require(typed)
        return typed

    def _typed(self, value: Any) -> Any:
        kind = self.kind
        if self.choices and value not in self.choices:
            raise self._refusal(value, " or ".join(self.choices))
        if kind is float and isinstance(value, str) and self.option.value == DURATION:
            return parse_duration(value)
        numbers = isinstance(value, int) and not isinstance(value, bool)
        if kind is float and (numbers or isinstance(value, float)):
            return math.inf if abs(value) > sys.float_info.max else float(value)
        if (kind is int and numbers) or (kind is bool and isinstance(value, bool)):
            return value
        if issubclass(kind, str | Path) and isinstance(value, str | Path):
            return kind(value)
        expected = {bool: "true or false", int: "an integer", float: "a number"}
        raise self._refusal(value, expected.get(kind, "a text"))

    def require(self, value: Any) -> None:
        """Refuse a number that nothing could be computed with.

        Raises
        ------
        UsageError
            If it is out of bounds, or none.
        """
        option = self.option
        if not isinstance(value, int | float) or isinstance(value, bool):
            return
        if isinstance(value, int) and abs(value) > _MOST_INT:
            raise self._refusal(value, f"at most {_MOST_INT}")
        holds = (isinstance(value, int) or math.isfinite(value)) and not (
            (option.least is not None and value < option.least)
            or (option.above is not None and value <= option.above)
            or (option.most is not None and value > option.most)
        )
        if not holds and value not in option.named.values():
            raise self._refusal(value, self.bounds)

    @property
    def bounds(self) -> str:
        """Which numbers are allowed, in words, with their unit."""
        option = self.option
        is_finite = self.kind is float and option.most is None
        return bounds.said(
            option.least, option.above, option.most, bounds.unit_of(option.value), is_finite
        )

    @property
    def allowed(self) -> str:
        """Which values are allowed, in words; empty where any text is."""
        if self.choices or self.option.value == DURATION:
            return " or ".join(self.choices)
        kind = {int: "a whole number", float: "a number"}.get(self.kind, "")
        number = bounds.number(kind, self.bounds, bounds.unit_of(self.option.value))
        return " or ".join([number, *self.option.named]) if kind else ""

    def _refusal(self, value: Any, must_be: str) -> UsageError:
        return _invalid(self.word, value, must_be)

    def said(self, value: Any) -> str:
        """Say a value in a message: none, on and off, and named numbers by their words.

        Examples
        --------
        >>> kind = Option("--frames", "How many.", Panel.OUTPUT, least=1, named={"all": 0})
        >>> Entry("frames", kind, int, False, False, 512, "--frames").said(0)
        'all'
        """
        if isinstance(value, bool):
            return "on" if value else "off"
        shown = {meant: word for word, meant in self.option.named.items()}
        return "none" if value is None else str(shown.get(value, value))

    def words(self, value: Any) -> list[str]:
        """Spell *value* on a command line; its default takes no words.

        Examples
        --------
        >>> kind = Option("--window", "How long.", Panel.WINDOWS, DURATION)
        >>> Entry("window_s", kind, float, False, False, None, "--window").words(170.0)
        ['--window', '170.0']
        """
        if value == self.default:
            return []
        if self.option.switches:
            return [switch.word for switch in self.option.switches if switch.means == value]
        if self.kind is bool:
            return [self.word if value else negated(self.word)]
        shown = {meant: word for word, meant in self.option.named.items()}
        each = value if self.is_many else (value,)
        return [text for one in each for text in (self.word, str(shown.get(one, one)))]


def name_of(word: str) -> str:
    """Give the name of a word in Python and in files.

    Examples
    --------
    >>> name_of("--n-test-groups")
    'n_test_groups'
    """
    return word.removeprefix("--").replace("-", "_")


def negated(word: str) -> str:
    """Give the word that turns an option off."""
    return f"--no-{word.removeprefix('--')}"


def entries(table: type[Any], *roles: str) -> tuple[Entry, ...]:
    """Give the options of a table, in its order; those of *roles* for each of them.

    Parameters
    ----------
    table : type
        A dataclass with annotated fields. A field without an option is passed over.
    """
    return tuple(
        replace(row, word=row.option.word.replace(ROLE, role), role=role)
        for row in _rows(table)  # type: ignore[arg-type]
        if row.option.word
        for role in ([r for r in row.option.roles if r in roles] if row.option.roles else [""])
    )


def keys(table: type[Any]) -> dict[str, Entry]:
    """Give what a table knows within ``--arm``, by its key."""
    rows = _rows(table)  # type: ignore[arg-type]
    return {row.option.key: row for row in rows if row.option.key}


@cache  # whoever checks a setting asks for its table
def _rows(table: type[Any]) -> tuple[Entry, ...]:
    hints = get_type_hints(table, include_extras=True)
    return tuple(
        Entry(
            field=field.name,
            option=option,
            kind=kind,
            is_many=is_many,
            is_required=field.default is field.default_factory is dataclasses.MISSING,
            default=None if field.default is dataclasses.MISSING else field.default,
            word=option.key,
        )
        for field in dataclasses.fields(table)
        for option in getattr(hints[field.name], "__metadata__", ())
        if isinstance(option, Option)
        for kind, is_many in [_kind(get_args(hints[field.name])[0])]
    )


def _kind(hint: Any) -> tuple[type[Any], bool]:
    """Tell what a field holds, apart from None, and whether it holds several."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _kind(get_args(hint)[0])
    if origin in (Union, UnionType):
        return _kind(next(each for each in get_args(hint) if each is not type(None)))
    if origin is tuple:
        return _kind(get_args(hint)[0])[0], True
    return (hint if isinstance(hint, type) else str), False


def gather(table: type[Any], given: Mapping[str, Any], role: str = "") -> dict[str, Any]:
    """Take what was given for a table's fields out of *given*, by the fields' names.

    Parameters
    ----------
    table : type
    given : mapping
        Values by the options' names; what is absent is as configured.

    Raises
    ------
    UsageError
        If a value cannot be used, or two contradict each other.
    """
    found: dict[str, Any] = {}
    for entry in entries(table, role):
        if entry.role != role:
            continue
        if entry.option.switches:
            found.update(_switched(entry, given))
        elif entry.name in given:
            found[entry.field] = entry.read(given[entry.name])
    return found


def _invalid(word: str, value: Any, must_be: str) -> UsageError:
    return UsageError(
        f"invalid {word}: {value!s:.80}",
        why=f"it must be {must_be}",
        do=f"correct {word}, or leave it out",
    )


def _switched(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    for switch in entry.option.switches:
        if not isinstance(value := given.get(name_of(switch.word)), bool | None):
            raise _invalid(switch.word, value, "true or false")
    chosen = [switch for switch in entry.option.switches if given.get(name_of(switch.word))]
    if len(chosen) > 1:
        raise UsageError(
            f"{' and '.join(switch.word for switch in chosen)} contradict each other",
            why="they are values of one setting",
            do="keep one of them",
        )
    return {entry.field: chosen[0].means} if chosen else {}


def require_bounds(settings: Any) -> None:
    """Refuse numbers out of bounds in an instance of a table.

    Raises
    ------
    UsageError
        If there is one.
    """
    table = type(settings)
    for entry in (*entries(table), *keys(table).values()):
        entry.require(getattr(settings, entry.field))
