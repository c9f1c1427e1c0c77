"""Is a small JSON document whole, and of a schema that this ptyrun reads?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ptyrun.errors import SchemaError
from ptyrun.host.typed_json import parse_object


def canonical_json(value: object) -> str:
    """Equal values give equal text: sorted keys, shortest numbers, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(value: object) -> str:
    """Equal plain JSON data has equal digests."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sealed(document: Mapping[str, Any]) -> str:
    """Write a document as JSON text, its field ``sha256`` covering all others."""
    digest = hashlib.sha256(_text(document).encode()).hexdigest()
    return _text({**document, "sha256": digest})


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


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


MAX_BYTES = 2**22  # such a document has some KiB


def read_document(text: str, name: str, newest: int) -> Mapping[str, Any]:
    """Read a sealed document of a known schema; give it without schema and seal.

    Raises
    ------
    SchemaError
        If it is none, or newer than *newest*.
    """
    try:
        document = unsealed(text)
        schema = document.pop("schema")
        if type(schema) is not int:
            raise ValueError(f"its schema is {schema!r:.40}")
    except (KeyError, ValueError) as error:
        raise no_document(name, error) from error
    if schema > newest:
        raise SchemaError(
            f"{name} has schema {schema}",
            why=f"this ptyrun reads schemas up to {newest}",
            do="upgrade ptyrun; the run was not touched",
        )
    return document


def no_document(name: str, error: Exception) -> SchemaError:
    """Say that a file is not what its name says."""
    return SchemaError(
        f"this is no {name}",
        why=str(error) if isinstance(error, ValueError) else repr(error),
        do="delete it: it only says which process works in the background, and how it ended",
    )
