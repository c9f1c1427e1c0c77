"""Is a JSON document whole, of which schema is it, and what does it say to this ptyrun?

Seal and identity are those of the document as it is stored; what an older ptyrun wrote is upgraded
after they were compared, and what a newer one wrote is told from what is damaged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from ptyrun.errors import ForeignFileError, NewerError, SchemaError
from ptyrun.host import durable
from ptyrun.host.regular import read_text
from ptyrun.host.typed_json import UnknownFieldError, build, parse_object

MAX_BYTES = 2**22  # such a document has some KiB
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


def canonical_json(value: object) -> str:
    """Equal values give equal text: sorted keys, shortest numbers, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(value: object) -> str:
    """Equal plain JSON data has equal digests."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def text_of(document: Mapping[str, Any]) -> str:
    """Lay a document out as a file: equal documents are equal bytes."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def sealed(document: Mapping[str, Any]) -> str:
    """Write a document as JSON text, its field ``sha256`` covering all others."""
    digest = hashlib.sha256(text_of(document).encode()).hexdigest()
    return text_of({**document, "sha256": digest})


def unsealed(text: str) -> dict[str, Any]:
    """Read what :func:`sealed` wrote, without its ``sha256``.

    Raises
    ------
    ValueError
        If it is no such document, or a character of it was changed.
    """
    document = parse_object(text)
    if document.pop("sha256", None) is None:
        raise ValueError("it holds no JSON object with a `sha256`")
    try:
        is_whole = sealed(document) == text
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not is_whole:
        raise ValueError("its `sha256` does not match: it was edited, or the disk lost a bit")
    return document


def schema_of(document: Mapping[str, Any]) -> int:
    """Give a document's schema; raises ValueError if it is none."""
    schema = document.get("schema")
    if type(schema) is not int or schema < 1:
        raise ValueError(f"its schema is {schema!r:.40}")
    return schema


@dataclass(frozen=True)
class AsRead:
    """The stored form of something: its identity for as long as it says the same.

    ``meaning`` is the digest of what it says to this ptyrun. ``is_current`` tells whether it would
    say the same without an upgrade.
    """

    document: Mapping[str, Any]
    meaning: str
    is_current: bool = True


@dataclass(frozen=True)
class Document:
    """What lies on disk as one JSON object: the fields of a dataclass and their ``schema``.

    Whoever adds a field gives it a default and raises the schema; a field that is renamed, dropped
    or means something else needs an upgrade besides.

    Attributes
    ----------
    NAME : str
        What errors call it.
    SCHEMA : int
        What is written, and the newest that is read.
    UPGRADES : mapping
        From a schema to the pure function that makes of such a document one of the next. A schema
        that is not named lacks nothing but fields that have defaults.
    REMEDY : str
        What to do about a file that is no such document.
    IS_SEALED : bool
        Whether ``sha256`` covers it.
    IS_BY_HAND : bool
        Whether people write it, so that a field that is not known is a mistake, and not newer.
    """

    NAME: ClassVar[str]
    SCHEMA: ClassVar[int]
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {}
    REMEDY: ClassVar[str]
    IS_SEALED: ClassVar[bool] = True
    IS_BY_HAND: ClassVar[bool] = False
    MAX_BYTES: ClassVar[int] = MAX_BYTES

    def to_json(self) -> str:
        """Write the document as text: equal ones are equal bytes."""
        document = {"schema": self.SCHEMA, **asdict(self)}
        return sealed(document) if self.IS_SEALED else text_of(document)

    @classmethod
    def from_json(cls, text: str, name: str = "") -> Self:
        """Read what `to_json` wrote, of this schema or an older one; *name* is for errors.

        Raises
        ------
        NewerError
            If a newer ptyrun wrote it.
        SchemaError
            If it is no such document.
        """
        name = name or cls.NAME
        try:
            stored = cls.stored(text, name)
            if (schema := schema_of(stored)) > cls.SCHEMA:
                raise NewerError.of(name, schema, cls.SCHEMA)
            return cls.described(stored)
        except UnknownFieldError as error:
            if cls.IS_BY_HAND or schema < cls.SCHEMA:
                raise cls.refusal(name, error) from error
            raise NewerError.because(name, error) from error
        except (KeyError, ValueError, RecursionError) as error:
            raise cls.refusal(name, error) from error

    @classmethod
    def stored(cls, text: str, name: str) -> dict[str, Any]:
        """Read the text of a document called *name*, and compare its seal."""
        return unsealed(text) if cls.IS_SEALED else parse_object(text)

    @classmethod
    def described(cls, stored: dict[str, Any]) -> Self:
        """Make what a stored document says; raises ValueError if it says something else."""
        made = build(cls, cls.upgraded(stored))
        made.check()
        return made

    @classmethod
    def upgraded(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Give the fields that a stored document has, or would have if it were written now."""
        document = {name: value for name, value in stored.items() if name != "schema"}
        try:
            for version in range(schema_of(stored), cls.SCHEMA):
                document = cls.UPGRADES.get(version, dict)(document)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it cannot be upgraded: {error!r}") from error
        return document

    def check(self) -> None:
        """Raise ValueError where a value is out of bounds, although its type is right."""

    @classmethod
    def refusal(cls, name: str, error: Exception) -> SchemaError:
        """Say that a file is not what its name says."""
        return SchemaError(f"this is not a valid {name}", why=why_none(error), do=cls.REMEDY)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file at *path*; raises as `from_json` and `read_text`."""
        return cls.from_json(read_text(path, cls.MAX_BYTES), f"{cls.NAME}: {path}")

    @classmethod
    def find(cls, path: Path) -> Self | None:
        """Read the file at *path*; None if there is none."""
        try:
            return cls.load(path)
        except FileNotFoundError:
            return None

    @classmethod
    def find_sound(cls, path: Path) -> Self | None:
        """Read the file at *path*; None if there is none, or if it is damaged.

        Raises
        ------
        NewerError
            If a newer ptyrun wrote it: then it is neither.
        """
        try:
            return cls.find(path)
        except NewerError:
            raise
        except (SchemaError, ForeignFileError):
            return None

    def save(self, path: Path) -> None:
        """Write the file, all or nothing, on disk for good."""
        durable.write_atomic(path, self.to_json().encode())


def why_none(error: Exception) -> str:
    """Say in one line in what a document is none."""
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
