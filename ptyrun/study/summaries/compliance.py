"""Does each file of the study's data say that it was canonicalised? Read from its history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ptyrun.errors import PtyrunError
from ptyrun.study.files import HubFiles
from ptyrun.study.hub import PHASE_C

SPLITS = ("train", "test")


@dataclass(frozen=True)
class FileState:
    """What one data file says of itself; *error* says why it cannot be read."""

    npz_path: str
    has_metadata: bool
    has_canonical_transform: bool
    error: str = ""

    @property
    def compliant(self) -> bool:
        """Whether its history names the canonicalising step."""
        return self.has_metadata and self.has_canonical_transform

    @classmethod
    def of(cls, files: HubFiles, name: str) -> FileState:
        """Look into one file; whatever is wrong with it becomes its *error*."""
        if not files.exists(name):
            return cls(name, False, False, "File not found")
        from ptyrun.ptycho.readers.npz import NpzFile
        from ptyrun.study.canonical import TOOL
        from ptyrun.study.history import MEMBER, History

        try:
            with files.open(name):
                pass  # a link or a FIFO would be followed or waited for below
            file = NpzFile(files.path(name))
            if MEMBER not in file:
                return cls(name, False, False)
            try:
                return cls(name, True, History.of(file).has_step(TOOL))
            except ValueError:
                return cls(name, False, False)
        except PtyrunError as error:
            return cls(name, False, False, error.why)

    def to_json(self) -> dict[str, Any]:
        """As the summary has it."""
        facts: dict[str, Any] = {
            "npz_path": self.npz_path,
            "has_metadata": self.has_metadata,
            "has_canonical_transform": self.has_canonical_transform,
            "compliant": self.compliant,
        }
        return facts | ({"error": self.error} if self.error else {})

    @classmethod
    def read(cls, document: object) -> FileState:
        """Read what :meth:`to_json` gives; raises ValueError."""
        if not isinstance(document, Mapping):
            raise ValueError("the state of a data file is not a JSON object")
        path, error = document.get("npz_path"), document.get("error", "")
        told = [document.get(key) for key in ("has_metadata", "has_canonical_transform")]
        if not isinstance(path, str) or not isinstance(error, str):
            raise ValueError("the state of a data file names no path")
        if not all(type(each) is bool for each in told):
            raise ValueError(f"the state of {path} is not true or false")
        return cls(path, bool(told[0]), bool(told[1]), error)


@dataclass(frozen=True)
class Compliance:
    """The state of all data files, by dose and split, or why none can be told."""

    doses: Mapping[str, Mapping[str, FileState]]
    error: str = ""

    @classmethod
    def of(cls, files: HubFiles) -> Compliance:
        """Look into both splits of every dose of a hub; doses are sorted as texts."""
        doses = [each for each in files.folders(PHASE_C) if each.startswith("dose_")]
        if not doses:
            return cls({}, f"no dose_* folder in {PHASE_C}")
        return cls(
            {
                dose: {
                    split: FileState.of(files, f"{PHASE_C}/{dose}/patched_{split}.npz")
                    for split in SPLITS
                }
                for dose in doses
            }
        )

    def states(self) -> Iterator[tuple[str, str, FileState]]:
        """Dose, split and state of every file; splits sorted by name."""
        for dose, splits in self.doses.items():
            for split, state in sorted(splits.items()):
                yield dose, split, state

    def to_json(self) -> dict[str, Any]:
        """As the summary has it."""
        if self.error:
            return {"error": self.error}
        return {
            dose: {split: state.to_json() for split, state in splits.items()}
            for dose, splits in self.doses.items()
        }

    @classmethod
    def read(cls, document: object) -> Compliance:
        """Read what :meth:`to_json` gives; raises ValueError."""
        if not isinstance(document, Mapping):
            raise ValueError("there is no phase_c_metadata_compliance")
        if set(document) == {"error"}:
            return cls({}, str(document["error"]))
        found = {}
        for dose, splits in document.items():
            if not isinstance(splits, Mapping):
                raise ValueError(f"the data files of {dose} are not JSON object")
            found[dose] = {split: FileState.read(state) for split, state in splits.items()}
        return cls(found)
