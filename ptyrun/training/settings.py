"""What is a trainer told of its own? Settings, each ``NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from ptyrun.errors import UsageError, nearest

_Number = TypeVar("_Number", int, float)
MOST = 2**31


def settings_of(words: Iterable[str]) -> dict[str, str]:
    """Read settings.

    Raises
    ------
    UsageError
        If one is not of this form, or given twice.

    Examples
    --------
    >>> settings_of(["width=12"])
    {'width': '12'}
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not name or name in found:
            raise UsageError(
                f"{word!r} is not a setting of a trainer",
                why="it is given twice"
                if name in found
                else "a setting is NAME=VALUE, like width=12",
                do="correct it, or leave it out",
            )
        found[name] = value
    return found


def number(settings: Mapping[str, str], name: str, default: _Number) -> _Number:
    """Read a setting that is a number greater than zero.

    Parameters
    ----------
    settings : mapping of str to str
        All settings that were given.
    name : str
        Which one.
    default : int or float
        Its value where it is not given; its type is that of the result.

    Returns
    -------
    int or float
        Greater than zero.

    Raises
    ------
    UsageError
        If it is none.
    """
    text = settings.get(name, str(default))
    try:
        found = type(default)(text)
    except ValueError:
        found = type(default)(0)
    if not 0 < found < MOST:
        kind = "whole number" if isinstance(default, int) else "number"
        raise UsageError(
            f"invalid setting {name}={text:.40}",
            why=f"it must be a {kind} greater than zero",
            do=f"correct it, or leave it out (default: {default})",
        )
    return found


def refuse_unknown(settings: Mapping[str, str], known: Mapping[str, object]) -> None:
    """Refuse a setting that a trainer does not know.

    Parameters
    ----------
    settings : mapping of str to str
        All settings that were given.
    known : mapping of str to object
        Those that it has, by name.

    Raises
    ------
    UsageError
        If there is another one.
    """
    for name in settings:
        if name not in known:
            raise UsageError(
                f"this trainer has no setting {name!r}",
                why=f"it has {', '.join(known)}{nearest(name, known)}",
                do="correct the name, or leave it out",
            )


def require_numbers(settings: Mapping[str, str], defaults: Mapping[str, float]) -> None:
    """See that all settings are known ones, and numbers greater than zero.

    Parameters
    ----------
    settings : mapping of str to str
        All settings that were given.
    defaults : mapping of str to int or float
        Those that a trainer has, by name.

    Raises
    ------
    UsageError
        If there is another one, or one is no such number.
    """
    refuse_unknown(settings, defaults)
    for name, default in defaults.items():
        number(settings, name, default)
