"""How is a file spoilt? Bytes, texts and JSON documents, changed as chance and malice would."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, Final

Path_ = tuple[Any, ...]
DEEP: Final = "@deep@"  # stands for lists in lists, deeper than Python goes
NUMBERS: Final = (
    *(0, 1, -1, 2, 255, 256, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**63, 2**64, -(2**63)),
    *(10**9, 10**15, 10**30, 10**400, 0.5, -0.5, 1e-300, 1e300, 1.5, -1e308),
)
TEXTS: Final = (
    *("", " ", "x", "0", "-1", "nan", "None", "[]", "\x00", "a\x00b", "\n", "\r\n", "\ud800"),
    *("\x1b[31m", "\x1b]0;pwned\x07", "a\u202eb", "\u200b", "=1+1", "@SUM(1)", "é", "试样"),
    *("..", "../..", "../../../../etc/passwd", "/etc/passwd", "/dev/zero", "a/b", "a\\b", "~"),
    *("x" * 300, "x" * 100_000, "{}", "{0.__class__}", "%s%n", "2026-01-01T00:00:00+00:00"),
    *("2026-01-01", "9999-99-99", "00000000", "f" * 64, "complex64", "object", "pinn", "baseline"),
)


def bytes_of(rng: random.Random, data: bytes) -> bytes:
    """Change a few bytes, or cut, double, move or lose some."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        _BYTES[rng.randrange(len(_BYTES))](rng, changed)
    return bytes(changed)


def _place(rng: random.Random, data: bytearray) -> int:
    # What says how the rest is to be read stands at either end.
    size = len(data)
    near = min(size, 512)
    return rng.choice((rng.randrange(size), rng.randrange(near), size - 1 - rng.randrange(near)))


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _put(rng: random.Random, data: bytearray) -> None:
    if data:
        size = rng.choice((1, 2, 4, 8))
        value = rng.choice((0, 1, 2**31, 2**63, 2 ** (8 * size) - 1, rng.getrandbits(64)))
        at = _place(rng, data)
        data[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")


def _lose(rng: random.Random, data: bytearray) -> None:
    if data:
        at = _place(rng, data)
        del data[at : at + rng.choice((1, 4, 64, 1024))]


def _insert(rng: random.Random, data: bytearray) -> None:
    at = _place(rng, data) if data else 0
    data[at:at] = rng.choice((b"\0", b"\xff" * 4, b"\n", rng.randbytes(16), b"[" * 1000))


def _double(rng: random.Random, data: bytearray) -> None:
    if data:
        at = _place(rng, data)
        data[at:at] = data[at : at + rng.choice((1, 16, 256))]


def _cut(rng: random.Random, data: bytearray) -> None:
    if data:
        del data[_place(rng, data) :]


def _digits(rng: random.Random, data: bytearray) -> None:
    places = [at for at, byte in enumerate(data[: 1 << 16]) if 48 <= byte <= 57]
    if places:
        at = rng.choice(places)
        data[at : at + 1] = rng.choice((b"0", b"-1", b"9" * 3, b"9" * 30, b"1e9", b"NaN", b'"a"'))


_BYTES: Final[tuple[Callable[[random.Random, bytearray], None], ...]] = (
    *(_flip, _flip, _put, _put, _lose, _insert, _double, _cut, _digits),
)


def json_of(rng: random.Random, document: Any) -> Any:
    """Change a document in one to three places, so that it stays JSON."""
    changed = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        where = rng.choice(places)
        if not where:
            if rng.random() < 0.05:
                return value_of(rng)
            continue
        _change(rng, changed, where, places)
    return changed


def _places(value: Any, where: Path_ = ()) -> Any:
    yield where
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*where, key))
    elif isinstance(value, list):
        for number in range(len(value)):
            yield from _places(value[number], (*where, number))


def _at(value: Any, where: Path_) -> Any:
    for step in where:
        value = value[step]
    return value


def _change(rng: random.Random, document: Any, where: Path_, places: list[Path_]) -> None:
    owner, key = _at(document, where[:-1]), where[-1]
    match rng.randrange(10):
        case 0 | 1 | 2:
            owner[key] = value_of(rng)
        case 3 | 4:
            owner[key] = like(rng, owner[key])
        case 5:
            del owner[key]
        case 6 if isinstance(owner, dict):
            owner[rng.choice((*TEXTS, *map(str, owner)))] = owner[key]
        case 7 if isinstance(owner, dict):
            owner[rng.choice(TEXTS)] = owner.pop(key)
        case 6 | 7:
            owner.insert(key, copy.deepcopy(owner[key]))
        case 8:
            owner[key] = copy.deepcopy(_at(document, rng.choice(places)))
        case _:
            owner[key] = [owner[key]] if rng.random() < 0.5 else {"a": owner[key]}


def like(rng: random.Random, value: Any) -> Any:
    """Give something of the same type, or nearly."""
    if isinstance(value, bool):
        return rng.choice((not value, int(value)))
    if isinstance(value, int):
        return rng.choice(
            (
                value + 1,
                value - 1,
                value + 0.5 if abs(value) < 2**53 else 0,
                -value,
                2 * value,
                *NUMBERS,
            )
        )
    if isinstance(value, float):
        return rng.choice((value * 2, -value, int(value), *NUMBERS))
    if isinstance(value, str):
        return rng.choice((value + "x", value[:-1], value.upper(), *TEXTS))
    if isinstance(value, list):
        return rng.choice((value[:-1], value + value, value[::-1], []))
    return value_of(rng)


def value_of(rng: random.Random) -> Any:
    """Give any JSON value."""
    match rng.randrange(8):
        case 0 | 1 | 2:
            return rng.choice(NUMBERS)
        case 3 | 4 | 5:
            return rng.choice(TEXTS)
        case 6:
            return rng.choice((None, True, False, [], {}, [[]], [None], {"a": 1}, {"": []}))
        case _:
            return _nested(rng)


def _nested(rng: random.Random) -> Any:
    value: Any = []
    for _ in range(rng.choice((3, 30))):
        value = [value]
    return rng.choice((value, DEEP))


def with_depths(text: str) -> str:
    """Put lists in lists in the place of each marker: no encoder of Python goes so deep."""
    return text.replace(f'"{DEEP}"', "[" * 3000 + "]" * 3000)


def text_of(rng: random.Random, text: str) -> str:
    """Change the words and numbers of a text, line by line."""
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not lines:
            return text
        at = rng.randrange(len(lines))
        name, equals, _ = lines[at].partition("=")
        match rng.randrange(6):
            case 0 | 1 | 2 if equals:
                lines[at] = f"{name}= {rng.choice(_TOML)}"
            case 3:
                lines.insert(at, lines[at])
            case 4:
                del lines[at]
            case _:
                data = bytearray(lines[at].encode(errors="replace"))
                _BYTES[rng.randrange(len(_BYTES))](rng, data)
                lines[at] = data.decode(errors="replace")
    return "\n".join(lines) + "\n"


_TOML: Final = (
    *("1", "-1", "1.5", "nan", "inf", "true", '"x"', '""', "[]", "[[1]]", '["x", 1]', "{a = 1}"),
    *("1979-05-27", "9" * 30, "1e300", '"\\u202e"', '"../../x"', '"/dev/zero"', '["dense"]'),
    *("[1000]", "[1e3, 1e3]", '"' + "x" * 5000 + '"', "[" * 200, '["a\\u0000b"]', "0", "[0]"),
)
