"""How would a newer ptyrun have written each document of a run? One schema higher, with a field."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import google_crc32c

from ptyrun.engine import ledger_cache, ownership
from ptyrun.host import checksums
from ptyrun.host.documents import canonical_json, sealed, text_of
from ptyrun.paths import RunPaths

FIELD = "tilt_deg"


def sha256(value: object) -> str:
    """Digest plain JSON data as a manifest does."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def identity(document: Mapping[str, Any]) -> str:
    """Digest what a manifest is known by."""
    return sha256({name: document[name] for name in ("schema", "shared", "arms")})


def written(body: str) -> str:
    """Write a line of a ledger with its CRC; *body* lacks the closing brace."""
    return f'{body},"crc":"{google_crc32c.value(body.encode()):08x}"}}\n'


def raise_document(path: Path, schemas: int = 1) -> None:
    """Write a document anew, so many schemas higher and with a field that is not known here."""
    document = json.loads(path.read_text())
    is_sealed = document.pop("sha256", None) is not None
    document["schema"] += schemas
    document[FIELD] = [0.5]
    path.write_text(sealed(document) if is_sealed else text_of(document))


def _manifest(path: Path) -> str:
    document = json.loads(path.read_text())
    del document["sha256"]
    document["schema"] += 1
    document[FIELD] = [0.5]
    document["digest"] = identity(document)
    path.write_text(text_of({**document, "sha256": sha256(document)}))
    return str(document["digest"])


def _superseded(paths: RunPaths) -> None:
    paths.superseded.mkdir()
    path = paths.superseded / "replaced.json"
    path.write_bytes(paths.manifest.read_bytes())
    path.rename(path.with_stem(_manifest(path)))


def _results(paths: RunPaths, schemas: int = 1) -> None:
    tops = {paths.root / name.split("/")[0] for name in checksums.vouched(paths.root)}
    made_from = checksums.made_from(paths.root)
    raise_document(paths.results, schemas)
    checksums.write(paths.root, sorted(tops), made_from)


def _ledger(paths: RunPaths, change: Callable[[list[str]], list[str]]) -> None:
    path = max(paths.ledger.iterdir())
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def _body(line: str) -> str:
    return line.rpartition(',"crc":')[0]


def _session(lines: list[str]) -> list[str]:
    head = _body(lines[0]).replace('"schema":1', '"schema":2')
    return [written(f'{head},"{FIELD}":1'), *lines[1:]]


def _event(lines: list[str]) -> list[str]:
    return [*lines[:-1], written('{"event":"weigh","arm":"pinn","kilograms":3'), lines[-1]]


def _field(lines: list[str]) -> list[str]:
    return [*lines[:-1], written(f'{_body(lines[-1])},"{FIELD}":1')]


def _ledger_cache(paths: RunPaths) -> None:
    body = json.dumps({"schema": ledger_cache.SCHEMA + 1, FIELD: 1}).encode() + b"\n"
    crc = f"{google_crc32c.value(body):08x}\n".encode()
    paths.ledger_cache.write_bytes(b"ptyrun ledger cache\n" + crc + body)


def _hint(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(ownership.signed({"schema": 9, FIELD: 1}))


# What counts, and must never be called damaged, replaced or believed.
DOCUMENTS: dict[str, Callable[[RunPaths], object]] = {
    "manifest": lambda paths: _manifest(paths.manifest),
    "superseded": _superseded,
    "owner": lambda paths: raise_document(paths.owner),
    "results": _results,
    "results-field": partial(_results, schemas=0),
    "process": lambda paths: raise_document(paths.process),
    "process-field": lambda paths: raise_document(paths.process, 0),
    "completion": lambda paths: raise_document(paths.completion),
    "session": partial(_ledger, change=_session),
    "event": partial(_ledger, change=_event),
    "field": partial(_ledger, change=_field),
}
# What may be lost.
CACHES: dict[str, Callable[[RunPaths], object]] = {
    "costs": lambda paths: _hint(paths.costs),
    "asked": lambda paths: _hint(paths.asked),
    "checked": lambda paths: _hint(paths.checked),
    "digests": lambda paths: _hint(paths.digests),
    "refused": lambda paths: _hint(paths.refused),
    "ledger cache": _ledger_cache,
}
