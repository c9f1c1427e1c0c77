"""What is in files, told without a run? Scans, reconstructions, and models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptyrun.errors import PtyrunError
from ptyrun.models.cards import inspect as card_of_model
from ptyrun.models.files import locate
from ptyrun.ptycho.readers.inspection import Part, inspect_file

SCHEMA = 1


def inspect(path: Path, diffraction_kind: str | None = None) -> dict[str, Any]:
    """Say what a file is, what it holds, how it would be read, and what is doubted.

    Parameters
    ----------
    path : Path
        A scan, a reconstruction, a model, or a model's folder.
    diffraction_kind : {"amplitude", "intensity"}, optional
        What frames are, where the file does not tell.

    Returns
    -------
    dict
        ``file``, ``parts`` (each with ``kind``, ``reader``, ``facts``, ``notes``, ``doubts``), and
        ``refused``: why it is read as nothing, empty where it is read.
    """
    refusals: list[PtyrunError] = []
    parts: list[Part] = []
    if not path.is_dir():
        found = inspect_file(path, diffraction_kind)
        parts, refusals = list(found.parts), list(found.refusals)
    if not parts:
        try:
            parts = [_model(path)]
        except PtyrunError as error:
            refusals = refusals or [error]
    return {
        "file": str(path),
        "parts": [_document(part) for part in parts],
        "refused": [] if parts else [_words(error) for error in _different(refusals)],
    }


def _model(path: Path) -> Part:
    model = locate(path)
    card = card_of_model(model)
    facts = {
        "file": model.path.name,
        "backend": model.backend,
        "description": card.description,
        "patch_px": card.patch_px or model.patch_px,
        "gridsize": card.gridsize or model.gridsize,
        "takes_offsets": card.takes_offsets,
        "batch_items": card.batch_items,
    }
    return Part("model", model.backend, model.kind.value, facts, (*model.notes, *card.notes), ())


def _document(part: Part) -> dict[str, Any]:
    return {
        "kind": part.kind,
        "reader": part.reader,
        "layout": part.layout,
        "facts": part.facts,
        "notes": list(part.notes),
        "doubts": list(part.doubts),
    }


def _words(error: PtyrunError) -> dict[str, str]:
    return {"what": error.what, "why": error.why, "do": error.do}


def _different(errors: list[PtyrunError]) -> Iterator[PtyrunError]:
    seen = set()
    for error in errors:
        if error.why not in seen:
            seen.add(error.why)
            yield error
