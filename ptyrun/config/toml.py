"""How are values written as TOML? What :mod:`tomllib` reads back is what was written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

Value = str | int | float | bool | Path | Sequence["Value"] | Mapping[str, "Value"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(document: Mapping[str, Value]) -> str:
    """Write *document*, one key a line; lists of mappings come last, each as a table.

    Raises
    ------
    UnicodeEncodeError
        If a text is none: the name of a file that is not UTF-8.

    Examples
    --------
    >>> print(dumps({"frc_sigma": 0.5, "arm": [{"name": "unet"}]}), end="")
    frc_sigma = 0.5
    <BLANKLINE>
    [[arm]]
    name = "unet"
    """
    tables = {key: each for key, each in document.items() if _are_tables(each)}
    lines = [_line(key, each) for key, each in document.items() if key not in tables]
    for key, each in tables.items():
        assert isinstance(each, Sequence)
        for table in each:
            assert isinstance(table, Mapping)
            lines += ["", f"[[{_key(key)}]]", *(_line(*item) for item in table.items())]
    return "\n".join([*lines, ""])


def _are_tables(value: Value) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(each, Mapping) for each in value)
    )


def _line(key: str, value: Value) -> str:
    return f"{_key(key)} = {_written(value)}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f"{value:f}"
    if isinstance(value, str | Path):
        return _text(str(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(_line(*item) for item in value.items()) + "}"
    return "[" + ", ".join(map(_written, value)) + "]"


def _text(text: str) -> str:
    text.encode()  # a lone surrogate is no character
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
