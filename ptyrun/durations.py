"""How do people write durations, and how are they written back?"""

from __future__ import annotations

import re

from ptyrun.errors import UsageError

_UNIT_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|min|s|m|h|d)")


def parse_duration(text: str) -> float:
    """Read a duration such as ``170s``, ``2.5m``, ``1h30m`` or plain seconds.

    Parameters
    ----------
    text : str
        One number (seconds), or numbers each followed by ms, s, m, min, h or d.

    Returns
    -------
    float
        Seconds, greater than zero.

    Raises
    ------
    UsageError
        If the text is not a duration, or not greater than zero.

    Examples
    --------
    >>> parse_duration("1h30m")
    5400.0
    """
    compact = text.strip().replace(" ", "").lower()
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", compact):
        seconds = float(compact)
    elif compact and re.fullmatch(f"(?:{_PART.pattern})+", compact):
        seconds = sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(compact))
    else:
        raise UsageError(
            f"{text!r} is not a duration",
            why="a duration is a number of seconds, or numbers with units ms, s, m, h, d",
            do="write it like 170s, 2.5m or 1h30m",
        )
    if not seconds > 0 or seconds == float("inf"):
        raise UsageError(
            f"invalid duration: {text!r} is {seconds:g} s",
            why="a duration must be positive and finite",
            do="give a finite duration greater than zero, like 170s",
        )
    return seconds


def format_duration(seconds: float) -> str:
    """Write a duration for people.

    Examples
    --------
    >>> format_duration(5400)
    '1 h 30 min'
    >>> format_duration(0.25), format_duration(0.0123)
    ('0.2 s', '12 ms')
    """
    if 0 < seconds < 0.095:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, whole = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {whole} s" if whole else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
