"""Which plain values does a pickle hold? Its steps are followed here, and Python reads none of it.

That one runs whatever a pickle names; and with all names taken from it, it still takes gigabytes
for a number in a step, and ends the process for tuples inside tuples that are a key. Here nothing
is imported or called, what is not plain becomes an `Opaque`, a step that is not known is an error,
and every step takes a bounded time: those that copy what is there already have a budget, and what
could be made to collide or be compared for long is no key.
"""

from __future__ import annotations

import pickletools
from collections.abc import Hashable, Iterable, Mapping
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np

MAX_STEPS = 1_000_000  # each takes about a microsecond; the parameters of a network have hundreds
MAX_COPIED = 1_000_000  # values that steps take out of lists and tuples, all together
MAX_KEY = 4096  # characters, or bytes
_CODES = frozenset({"f2", "f4", "f8", "i4", "i8", "u4", "u8", "b1"})

# Steps whose argument is the value; and those that say it themselves.
_VALUES = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
})  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NOTHING = frozenset({"PROTO", "FRAME"})
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_KEPT = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GOT = frozenset({"GET", "BINGET", "LONG_BINGET"})
_UNKNOWN = frozenset({"PERSID", "EXT1", "EXT2", "EXT4"})


class Opaque:
    """Stands for what is not plain; holds nothing."""


class _Name(Opaque):
    """What a pickle names, to call or to keep."""

    def __init__(self, module: object, name: object) -> None:
        self.name = (str(module), str(name)) if _are_texts(module, name) else ("", "")


class _Dtype(Opaque):
    """The type of a number of NumPy, by its code alone."""

    def __init__(self, code: object) -> None:
        self.code = code if isinstance(code, str) and code in _CODES else None


def _are_texts(*values: object) -> bool:
    return all(isinstance(each, str) for each in values)


def plain(data: bytes) -> Any:
    """Follow the steps of a pickle to what it holds.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    None, bool, number, str, bytes, list, tuple, dict, set, frozenset or Opaque
        Nested as in the pickle; a key that is not plain is an `Opaque`, too.

    Raises
    ------
    ValueError
        If it is no pickle, has steps of other kinds, or too many.
    """
    try:
        return _followed(data)
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeError) as error:
        raise ValueError(f"it is not a whole pickle ({type(error).__name__})") from error


def _followed(data: bytes) -> Any:
    reader = _Reader()
    steps = pickletools.genops(BytesIO(data))
    for opcode, argument, _ in islice(steps, MAX_STEPS):
        if opcode.name == "STOP":
            return reader.stack.pop()
        reader.follow(opcode.name, argument)
    raise ValueError(f"it has more than {MAX_STEPS} steps")


class _Reader:
    """Holds what a pickle has made up to a step."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []  # marks
        self._memo: dict[int, Any] = {}
        self._left = MAX_COPIED

    def follow(self, step: str, argument: Any) -> None:
        """Do what one step says."""
        if step in _VALUES:
            self.stack.append(argument)
        elif step in _CONSTANTS:
            self.stack.append(_CONSTANTS[step])
        elif step in _KEPT:
            self._memo[argument] = self.stack[-1]
        elif step == "MEMOIZE":
            self._memo[len(self._memo)] = self.stack[-1]
        elif step in _GOT:
            self.stack.append(self._memo[argument])
        elif step in _TUPLES:
            n = _TUPLES[step]
            if len(self.stack) < n:
                raise IndexError
            self.stack[-n:] = [tuple(self.stack[-n:])]
        elif step not in _NOTHING:
            getattr(self, f"_{step.lower()}", self._refuse)(argument)

    def _refuse(self, argument: Any) -> None:
        raise ValueError("it has steps that no parameters need")

    def _since_mark(self) -> list[Any]:
        found, self.stack = self.stack, self._below.pop()
        return found

    def _mark(self, _: Any) -> None:
        self._below.append(self.stack)
        self.stack = []

    def _pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._since_mark()

    def _pop_mark(self, _: Any) -> None:
        self._since_mark()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _empty_list(self, _: Any) -> None:
        self.stack.append([])

    def _empty_tuple(self, _: Any) -> None:
        self.stack.append(())

    def _empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def _empty_set(self, _: Any) -> None:
        self.stack.append(set())

    def _list(self, _: Any) -> None:
        found = self._since_mark()
        self.stack.append(found)

    def _tuple(self, _: Any) -> None:
        found = tuple(self._since_mark())
        self.stack.append(found)

    def _dict(self, _: Any) -> None:
        found = self._since_mark()
        self.stack.append(_set_items({}, found))

    def _frozenset(self, _: Any) -> None:
        found = frozenset(map(_key, self._since_mark()))
        self.stack.append(found)

    def _append(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._since_mark())

    def _extend(self, values: list[Any]) -> None:
        if isinstance(last := self.stack[-1], list):
            last += values

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _set_items(self.stack[-1], [key, value])

    def _setitems(self, _: Any) -> None:
        found = self._since_mark()
        _set_items(self.stack[-1], found)

    def _additems(self, _: Any) -> None:
        found = self._since_mark()
        if isinstance(last := self.stack[-1], set):
            last.update(map(_key, found))

    def _bytearray8(self, argument: Any) -> None:
        self.stack.append(bytes(argument))

    def _global(self, argument: Any) -> None:
        self.stack.append(_Name(*str(argument).split(" ", 1)))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_Name(module, name))

    def _reduce(self, _: Any) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        self._make(called, arguments)

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        self.stack.pop()
        self._reduce(None)

    def _obj(self, _: Any) -> None:
        called, *arguments = self._since_mark()
        self._make(called, tuple(arguments))

    def _make(self, called: Any, arguments: Any) -> None:
        """Put what a call makes of arguments that may have been there before, many times."""
        if isinstance(arguments, tuple):
            self._left -= len(arguments)
            self._left -= sum(len(each) for each in arguments if isinstance(each, list | tuple))
        if self._left < 0:
            raise ValueError(f"its steps copy more than {MAX_COPIED} values")
        self.stack.append(_made(called, arguments))

    def _inst(self, _: Any) -> None:
        self._since_mark()
        self.stack.append(Opaque())

    def _build(self, _: Any) -> None:
        self.stack.pop()  # the state of what holds nothing

    def _persid(self, _: Any) -> None:
        self.stack.append(Opaque())

    _ext1 = _ext2 = _ext4 = _persid

    def _binpersid(self, _: Any) -> None:
        self.stack[-1] = Opaque()


def _key(value: Any) -> Hashable:
    """Give what may be a key, whose hash is quickly found and hardly anybody else's."""
    is_short = isinstance(value, str | bytes) and len(value) <= MAX_KEY
    is_number = isinstance(value, int) and value.bit_length() <= 64
    if is_short or is_number or isinstance(value, float) or value is None:
        key: Hashable = value
        return key
    return Opaque()  # tuples and complex numbers of one hash are easily found


def _set_items(target: Any, pairs: list[Any]) -> Any:
    if len(pairs) % 2:
        raise IndexError
    if isinstance(target, dict):
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[_key(key)] = value
    return target


def _made(called: Any, arguments: Any) -> Any:
    """Give what a call would, where that is plain."""
    if not isinstance(called, _Name) or not isinstance(arguments, tuple):
        return Opaque()
    if (maker := _MAKERS.get(called.name)) is None:
        return Opaque()
    try:
        return maker(*arguments)
    except (TypeError, ValueError, OverflowError):
        return Opaque()


def _complex(*parts: Any) -> Any:
    if not all(isinstance(each, float) for each in parts):
        return Opaque()
    return complex(*parts)


def _set(values: Iterable[Any] = ()) -> set[Hashable] | Opaque:
    return {*map(_key, values)} if isinstance(values, list | tuple) else Opaque()


def _frozen(values: Iterable[Any] = ()) -> frozenset[Hashable] | Opaque:
    found = _set(values)
    return frozenset(found) if isinstance(found, set) else found


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    if not isinstance(pairs, list | tuple):
        raise TypeError
    return {_key(key): value for key, value in pairs}


def _scalar(dtype: Any, raw: Any) -> Any:
    """The Python number that a number of NumPy's was."""
    if not isinstance(dtype, _Dtype) or dtype.code is None or not isinstance(raw, bytes):
        return Opaque()
    values = np.frombuffer(raw, np.dtype(dtype.code).newbyteorder("<"))
    return values[0].item() if len(values) == 1 else Opaque()


_MAKERS: Mapping[tuple[str, str], Any] = {
    ("builtins", "complex"): _complex,
    ("builtins", "set"): _set,
    ("builtins", "frozenset"): _frozen,
    ("collections", "OrderedDict"): _ordered,
    ("numpy", "dtype"): lambda code, *_: _Dtype(code),
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
}
