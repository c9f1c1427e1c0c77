"""Does a JSON document have the fields and types that its class says?

Documents on disk may come from anybody: what is read is compared with the class's annotations, so
that a text where a number belongs is found when it is read and not where it is used.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
_LEAST, _MOST = -(2**63), 2**64 - 1


class UnknownFieldError(ValueError):
    """An object has a field that its class lacks."""


def parse(text: str | bytes) -> Any:
    """Read JSON; NaN, infinity, nesting without end and names that are there twice are none.

    Raises
    ------
    ValueError
        If it is not JSON.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_any(text: str | bytes) -> Any:
    """Read JSON as others write it, in which NaN and infinity are numbers.

    Raises
    ------
    ValueError
        If it is not JSON, or nested without end.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Read one JSON object; raises as `parse`."""
    document = parse(text)
    if not isinstance(document, dict):
        raise ValueError(f"it holds no JSON object but a {type(document).__name__}")
    return document


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; of a name that is there twice, readers take one or the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise ValueError(f"the name {max(counts, key=counts.__getitem__)!r:.80} is there twice")
    return found


# To make one takes longer than to read a line.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object)


def build(kind: type[T], document: Any, where: str = "") -> T:
    """Make a dataclass of a JSON object whose fields have the annotated types.

    A field that does not count in comparing is not of the document.

    Raises
    ------
    UnknownFieldError
        If it has a field that the class lacks; the message names it.
    ValueError
        If a field is missing or of another type; the message names it.
    """
    if not isinstance(document, Mapping):
        raise ValueError(f"{where or 'it'} is not a JSON object")
    hints = _hints(kind)  # type: ignore[arg-type]
    if unknown := document.keys() - hints.keys():
        raise UnknownFieldError(f"unknown field {_path(where, sorted(unknown)[0])!r}")
    values = {}
    for field in _fields(kind):  # type: ignore[arg-type]
        name = _path(where, field.name)
        if field.name in document:
            values[field.name] = _value(hints[field.name], document[field.name], name)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"field {name!r} is missing")
    return kind(**values)


@cache
def _fields(kind: type) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(field for field in dataclasses.fields(kind) if field.compare)


@cache
def _hints(kind: type) -> dict[str, Any]:
    names = {field.name for field in _fields(kind)}
    return {name: hint for name, hint in typing.get_type_hints(kind).items() if name in names}


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _value(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _one_of(typing.get_args(hint), value, where)
    if origin is tuple:
        return _row(typing.get_args(hint), value, where)
    if origin is not None and issubclass(origin, Mapping):
        inner = typing.get_args(hint)[1]
        if not isinstance(value, Mapping):
            raise _wrong(where, value)
        return {name: _value(inner, entry, _path(where, name)) for name, entry in value.items()}
    if dataclasses.is_dataclass(hint):
        return build(typing.cast("type[Any]", hint), value, where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _member(hint, value, where)
    if is_scalar(hint, value):
        return value
    raise _wrong(where, value)


def _member(kind: type[StrEnum], value: Any, where: str) -> StrEnum:
    if value not in [each.value for each in kind]:
        raise ValueError(f"{where!r} is {value!r:.80}, not one of {', '.join(kind)}")
    return kind(value)


def is_scalar(hint: Any, value: Any) -> bool:
    """Tell whether *value* is of the scalar type *hint*; a whole number serves as a float.

    A whole number beyond 64 bits is none: no count, size or time is so large.
    """
    kind = type(value)
    if kind is int and not _LEAST <= value <= _MOST:
        return False
    if hint is float:
        return kind in (int, float) and math.isfinite(value)
    return kind is (type(None) if hint is None else hint)


def _one_of(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    others = [hint for hint in hints if hint is not type(None)]
    if value is None and len(others) < len(hints):
        return None
    if len(others) == 1:
        return _value(others[0], value, where)
    if any(is_scalar(hint, value) for hint in others):
        return value
    raise _wrong(where, value)


def _row(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, value)
    if len(hints) == 2 and hints[1] is Ellipsis:
        return tuple(_value(hints[0], entry, where) for entry in value)
    if len(value) != len(hints):
        raise ValueError(f"{where!r} has {len(value)} entries, not {len(hints)}")
    return tuple(_value(hint, entry, where) for hint, entry in zip(hints, value, strict=True))


def _wrong(where: str, value: Any) -> ValueError:
    if type(value) is int and not _LEAST <= value <= _MOST:
        return ValueError(f"{where!r} is a number beyond 64 bits")
    return ValueError(f"{where!r} is of the wrong type: {type(value).__name__}")
