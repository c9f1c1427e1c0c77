"""Which JSON schema does each document have? `make tables` writes them into docs/schemas.

Made from the classes that read the documents, so that a schema and its reader cannot differ.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import types
import typing
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from ptyrun.comparison.counts import Counts
from ptyrun.engine import records
from ptyrun.engine.manifest import Manifest
from ptyrun.host.documents import Document
from ptyrun.results import Results
from ptyrun.stages.preview import ArmPreview, PreviewFiles
from ptyrun.stages.status import Status
from ptyrun.study import telling
from ptyrun.study.state import State

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ptyrun"
FOLDER = ROOT / "docs" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NAMES = {
    "attempt-of-a-stage": "study-attempt",
    "document-of-a-studys-parameters": "study-parameters",
    "list-of-moves": "study-moves",
    "record-of-a-stage": "study-record",
}
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer", "minimum": 0}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_SCALARS: Mapping[Any, dict[str, Any]] = {
    str: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1},
    float: {"type": "number"},
    type(None): {"type": "null"},
}


def schemas() -> dict[str, dict[str, Any]]:
    """Give every schema by the name of its file."""
    return dict(sorted(_all()))


def _all() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in documents():
        yield _named(slug(kind), kind.SCHEMA, kind, document_schema(kind))
    yield _named(
        "status",
        Status.SCHEMA,
        "What `ptyrun status RUN --json` prints.",
        _versioned(Status, Status.SCHEMA),
    )
    yield _named("preview", PreviewFiles.SCHEMA, "`preview.json`: results so far.", _preview())
    yield _named("ledger-line", records.SCHEMA, "One line of a file in `ledger/`.", _ledger_line())
    yield _named(
        "study-status", telling.SCHEMA, "What `ptyrun study status --json` prints.", _study_status()
    )
    yield _named("study-verify", 1, "What `ptyrun study verify --json` prints.", _study_verify())


def documents() -> list[type[Document]]:
    """Give every class that a document on disk is read by."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "(Document)" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    ours = (kind for kind in Document.__subclasses__() if kind.__module__.startswith("ptyrun."))
    return sorted(ours, key=slug)


def slug(kind: type[Document]) -> str:
    """Give the name of a document in a file's name.

    Examples
    --------
    >>> slug(Results), slug(Manifest)
    ('results', 'manifest')
    """
    stem = kind.NAME.removesuffix(".json").removeprefix("the ")
    name = stem.replace(" ", "-").replace("'", "").replace("_", "-")
    return _NAMES.get(name, name)


def document_schema(kind: type[Document]) -> dict[str, Any]:
    """Give the schema of what *kind* writes and reads, seal included."""
    schema = _versioned(kind, kind.SCHEMA)
    seals = {"sha256": _SHA256} if kind.IS_SEALED else {}
    if kind is Manifest:
        seals["digest"] = _SHA256
    schema["properties"] |= seals
    schema["required"] += seals
    return schema


def _versioned(kind: type[Any], version: int) -> dict[str, Any]:
    schema = of(kind)
    schema["properties"] = {"schema": {"const": version}, **schema["properties"]}
    schema["required"] = ["schema", *schema["required"]]
    return schema


def of(hint: Any) -> dict[str, Any]:
    """Give the schema of a value of that type, as `ptyrun.host.typed_json` reads it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [of(each) for each in inner]}
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return {"type": "array", "items": of(inner[0])}
    if origin is tuple:
        size = {"minItems": len(inner), "maxItems": len(inner)}
        return {"type": "array", "prefixItems": [of(each) for each in inner], **size}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": of(inner[1])}
    if dataclasses.is_dataclass(hint):
        return _fields(typing.cast("type[Any]", hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"enum": [each.value for each in hint]}
    return dict(_SCALARS[hint])


def _fields(kind: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    fields = [each for each in dataclasses.fields(kind) if each.compare]
    absent = dataclasses.MISSING
    needed = [each.name for each in fields if each.default is each.default_factory is absent]
    return _exactly({each.name: of(hints[each.name]) for each in fields}, needed)


def _exactly(properties: Mapping[str, Any], needed: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties) if needed is None else needed,
        "additionalProperties": False,
    }


def _preview() -> dict[str, Any]:
    schema = _versioned(Results, PreviewFiles.SCHEMA)
    schema["properties"]["partial"] = {"type": "boolean"}
    hints = typing.get_type_hints(ArmPreview)
    counts = {each.name: _COUNT for each in dataclasses.fields(Counts)}
    more = {"partial": {"type": "boolean"}, "covered_px": of(hints["covered_px"]), **counts}
    arm = schema["properties"]["arms"]["additionalProperties"]
    arm["properties"] |= {**more, "picture": of(str | None)}
    return schema


def _ledger_line() -> dict[str, Any]:
    crc = {"type": "string", "pattern": "^[0-9a-f]{8}$"}
    lines = []
    for event, kind in records._EVENTS.items():
        line = _fields(kind)
        line["properties"] = {"event": {"const": event}, **line["properties"], "crc": crc}
        line["required"] = ["event", *line["required"], "crc"]
        lines.append({"title": event, "description": _said(kind), **line})
    return {"oneOf": lines}


def _study_status() -> dict[str, Any]:
    change = _exactly({"fact": _TEXT, "old": {}, "new": {}})
    stage = {
        **{"state": {"enum": [each.value for each in State]}, "why": _TEXT},
        "changed": {"type": "array", "items": change},
        **dict.fromkeys(("waits_for", "needs", "inputs", "outputs"), _TEXTS),
        **{"command": _TEXT, "log": _TEXT, "duration_s": of(float | None)},
    }
    return _exactly(
        {
            "schema": {"const": telling.SCHEMA},
            **{"study": _TEXT, "hub": _TEXT, "is_complete": {"type": "boolean"}},
            "counts": _exactly({each.value: _COUNT for each in State}),
            "stages": {"type": "object", "additionalProperties": _exactly(stage)},
        }
    )


def _study_verify() -> dict[str, Any]:
    check = _exactly(
        {"valid": {"type": "boolean"}, "name": _TEXT, "path": _TEXT, "description": _TEXT}
    )
    check["properties"]["error"] = _TEXT
    check["additionalProperties"] = True  # the facts that a check found
    return _exactly(
        {
            **{"hub": _TEXT, "all_valid": {"type": "boolean"}},
            **dict.fromkeys(("n_checks", "n_valid", "n_invalid"), _COUNT),
            "validations": {"type": "array", "items": check},
        }
    )


def _named(
    name: str, version: int, about: type[Any] | str, schema: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    head = {"$schema": DIALECT, "$id": f"urn:ptyrun:schema:{name}:{version}", "title": name}
    said = about if isinstance(about, str) else _said(about)
    return f"{name}-{version}.json", {**head, "description": said, **schema}


def _said(kind: Any) -> str:
    text = (kind.__doc__ or "").partition("\n\n")[0]
    return " ".join(text.replace("``", "`").split())


def text_of(schema: Mapping[str, Any]) -> str:
    """Lay a schema out as its file."""
    return json.dumps(schema, indent=1) + "\n"


def write() -> None:
    """Write every schema; those of earlier versions stay."""
    FOLDER.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (FOLDER / name).write_text(text_of(schema), encoding="utf-8")
