"""May a text that somebody else wrote be shown as it is?

A terminal obeys control characters, and characters that turn the direction of writing make a line
read as another one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import islice

MAX_NAMED = 200  # characters of one of many texts
_LAYOUT = frozenset("\n\t")
# What a spreadsheet takes for the beginning of a formula; the last ones are wide, as in East Asia.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def is_plain(text: str) -> bool:
    """Tell whether every character is one that is printed, or a space."""
    return text.isprintable() or all(map(_is_plain_character, text))


def _is_plain_character(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def shown(text: str) -> str:
    """Give *text* with everything escaped that a terminal would obey; lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        each if each in _LAYOUT or _is_plain_character(each) else _escaped(each) for each in text
    )


def one_line(text: str) -> str:
    """Give *text* as a part of one line: ends of lines and tabs are escaped as well."""
    if text.isprintable():
        return text
    return "".join(each if _is_plain_character(each) else _escaped(each) for each in text)


def below_its_first_line(text: str, indent: str) -> str:
    """Indent all lines but the first, so that none passes for one that ptyrun says itself."""
    return text.replace("\n", f"\n{indent}")


def printable(text: str) -> str:
    """Give *text* for a message, where only ends of lines stay: names of files are in it."""
    return "".join(c if c.isprintable() or c == "\n" else _byte(c) or _escaped(c) for c in text)


def encodable(text: str) -> str:
    """Give *text* as UTF-8 can hold it: halves of characters, and bytes of names, are spelt out."""
    if text.isascii():
        return text
    return "".join(
        _byte(each) or _escaped(each) if 0xD800 <= ord(each) <= 0xDFFF else each for each in text
    )


def counted(count: int, thing: str) -> str:
    """Say how many of a *thing* there are.

    Examples
    --------
    >>> counted(1, "chunk"), counted(2, "chunk"), counted(0, "batch of a")
    ('1 chunk', '2 chunks', '0 batches of a')
    """
    noun, blank, rest = thing.partition(" ")
    if count != 1:
        noun += "es" if noun.endswith(("ch", "s", "x")) else "s"
    return f"{count} {noun}{blank}{rest}"


def counted_of(count: int, whole: int, thing: str) -> str:
    """Say how many of all there are, as a fraction.

    Examples
    --------
    >>> counted_of(0, 1, "chunk"), counted_of(1, 3, "chunk")
    ('0/1 chunk', '1/3 chunks')
    """
    return f"{count}/{counted(whole, thing)}"


def enumerated(texts: Iterable[str], most: int = 20) -> str:
    """Give *texts* with commas between; of a great many, the first ones and that there are more."""
    first = [*islice(texts, most + 1)]
    named = [each if len(each) <= MAX_NAMED else f"{each[:MAX_NAMED]}..." for each in first[:most]]
    return ", ".join([*named, "and more"] if len(first) > most else named)


def _byte(character: str) -> str:
    """Spell a byte of a file's name that is not UTF-8; empty if it is no such byte."""
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ""


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()


def as_cell(text: str) -> str:
    """Give *text* as a table's cell: one line, and to no spreadsheet a formula; numbers stay."""
    told = one_line(encodable(text))
    return f"'{told}" if text.startswith(_FORMULA) and not _is_number(text) else told


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and text == text.strip() and "_" not in text
