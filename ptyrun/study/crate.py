"""What does an archive of a study say of itself? RO-Crate metadata: files, stages, programs.

Source: RO-Crate 1.1, doi:10.5281/zenodo.4541002.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import quote, unquote

from ptyrun import __version__
from ptyrun.host.typed_json import parse_any
from ptyrun.study.hub import CRATE
from ptyrun.study.record import Record

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
# The context of RO-Crate 1.1 has no digests.
CONTEXT = [f"{SPECIFICATION}/context", {"sha256": "https://schema.org/sha256"}]
PACKAGES = ("numpy", "scipy", "scikit-learn", "zarr", "tensorflow", "torch", "ptychi")
_PTYRUN = "#ptyrun"
_TYPES = {".npz": "application/zip", ".zip": "application/zip", ".toml": "application/toml"}


@dataclass(frozen=True)
class Packed:
    """One file of an archive: its name with slashes, its length and its SHA-256."""

    name: str
    n_bytes: int
    sha256: str


def metadata(
    name: str, files: Sequence[Packed], records: Iterable[Record], options: Mapping[str, str]
) -> str:
    """Describe a study as an RO-Crate.

    Parameters
    ----------
    name : str
        Of the study.
    files : sequence of Packed
    records : iterable of Record
        Of its stages.
    options : mapping
        With which it was made, canonical JSON by name.

    Returns
    -------
    str
        JSON-LD; equal studies give equal texts.
    """
    made = sorted(records, key=lambda record: record.stage)
    actions = [*_actions(made, {file.name for file in files})]
    outside = [*_outside(made, {file.name for file in files})]
    chosen = [*_options(options)]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": name,
        "description": "A study of ptychographic reconstructions: data, models, comparisons, and "
        "how each file was made.",
        "datePublished": max((record.made_at for record in made), default="1970-01-01T00:00:00Z"),
        "license": "unspecified",
        "hasPart": [{"@id": _entity_of(file.name)} for file in files],
        "mentions": [{"@id": each["@id"]} for each in (*actions, *outside)],
        "variableMeasured": [{"@id": each["@id"]} for each in chosen],
    }
    about = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }
    # Flat, as RO-Crate demands: no entity stands inside of another.
    graph = [about, root, *map(_file, files), *actions, *outside, *chosen, *_programs()]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1) + "\n"


def files_of(text: str) -> dict[str, Packed]:
    """Read the files that a crate lists, by name; raises ValueError if it is no crate of ours."""
    document = parse_any(text)
    graph = document.get("@graph") if isinstance(document, dict) else None
    if not isinstance(graph, list) or not all(isinstance(each, dict) for each in graph):
        raise ValueError("it has no list of entities (@graph)")
    found: dict[str, Packed] = {}
    for each in graph:
        if each.get("@type") == "File":
            name, size, digest = each.get("@id"), each.get("contentSize"), each.get("sha256")
            is_told = isinstance(size, str) and size.isdecimal() and isinstance(digest, str)
            if not isinstance(name, str) or not is_told:
                raise ValueError(f"a file is listed without size and SHA-256: {name!r:.80}")
            name = unquote(name)
            if name in found:
                raise ValueError(f"{name!r:.80} is listed twice")
            found[name] = Packed(name, int(str(size)), str(digest))
    return found


def _file(file: Packed) -> dict[str, Any]:
    suffix = f".{file.name.rpartition('.')[2]}"
    kind = _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    return {
        "@id": _entity_of(file.name),
        "@type": "File",
        "name": file.name,
        "contentSize": str(file.n_bytes),
        "encodingFormat": kind,
        "sha256": file.sha256,
    }


def _actions(records: Sequence[Record], names: set[str]) -> Iterator[dict[str, Any]]:
    """One action for each stage: its command, what it read, what it made."""
    for record in records:
        parameters = ", ".join(f"{key}={value}" for key, value in sorted(record.parameters.items()))
        yield {
            "@id": f"#{record.stage}",
            "@type": "CreateAction",
            "name": record.stage,
            "description": f"ptyrun study stage {record.stage} ({parameters})",
            "endTime": record.made_at,
            "instrument": {"@id": _PTYRUN},
            "object": [{"@id": _entity(name, names)} for name in sorted(record.inputs)],
            "result": [
                {"@id": _entity_of(name)} for name in sorted(record.outputs) if name in names
            ],
        }


def _outside(records: Sequence[Record], names: set[str]) -> Iterator[dict[str, Any]]:
    """What stages read that is not in the archive, by its digest."""
    found = {
        _entity(name, names): (name, digest)
        for record in records
        for name, digest in record.inputs.items()
        if name not in names
    }
    for entity, (name, digest) in sorted(found.items()):
        yield {"@id": entity, "@type": "CreativeWork", "name": name, "sha256": digest}


def _options(options: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for key, value in sorted(options.items()):
        yield {"@id": f"#option-{key}", "@type": "PropertyValue", "name": key, "value": value}


def _entity(name: str, names: set[str]) -> str:
    return _entity_of(name) if name in names else f"#input-{quote(name, safe='')}"


def _entity_of(name: str) -> str:
    """Give the URI of a file, relative to the crate."""
    return quote(name)


def _programs() -> Iterator[dict[str, Any]]:
    needs = []
    for package in PACKAGES:
        try:
            found = version(package)
        except PackageNotFoundError:
            continue
        needs.append({"@id": f"#{package}", "name": package, "softwareVersion": found})
    yield {
        "@id": _PTYRUN,
        "@type": "SoftwareApplication",
        "name": "ptyrun",
        "softwareVersion": __version__,
        "softwareRequirements": [{"@id": each["@id"]} for each in needs],
    }
    yield from ({**each, "@type": "SoftwareApplication"} for each in needs)
