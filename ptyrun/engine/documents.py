"""Is a small JSON document whole, and of a schema that this ptyrun reads?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ptyrun.errors import SchemaError


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
    document = json.loads(text)
    if not isinstance(document, dict) or document.pop("sha256", None) is None:
        raise ValueError("it holds no JSON object with a `sha256`")
    if sealed(document) != text:
        raise ValueError("its `sha256` does not match: it was edited, or the disk lost a bit")
    return document


def read_document(text: str, name: str, newest: int) -> Mapping[str, Any]:
    """Read a sealed document of a known schema; give it without schema and seal.

    Raises
    ------
    SchemaError
        If it is none, or newer than *newest*.
    """
    try:
        document = unsealed(text)
        schema = int(document.pop("schema"))
    except (KeyError, TypeError, ValueError) as error:
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
