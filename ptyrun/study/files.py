"""Which files does a hub hold, and what do they say? Any of them may have come from anybody."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from ptyrun.errors import ForeignFileError, InputError, UsageError
from ptyrun.host.partials import PARTIAL
from ptyrun.host.regular import below, kind_of, open_regular, read_bounded, refuse_hollow
from ptyrun.paths import RunPaths
from ptyrun.study.hub import (
    ANALYSIS,
    ARCHIVE,
    ATTEMPT,
    CRATE,
    GENERALIZATION,
    LOCKS,
    PIECES,
    SESSION,
)
from ptyrun.texts import printable

MAX_TEXT_BYTES = 64 << 20
MAX_FILES = 1_000_000
MAX_DEPTH = 64


@dataclass(frozen=True)
class Found:
    """One entry of a hub that is not a folder; *kind* is empty for a regular file."""

    name: str
    size: int
    kind: str


@dataclass(frozen=True)
class HubFiles:
    """The files of the hub at *root*, by their names below it, written with slashes."""

    root: Path

    @classmethod
    def of(cls, root: Path) -> HubFiles:
        """Take an existing folder for a hub.

        Raises
        ------
        UsageError
            If there is no such folder, or it may not be listed.
        """
        try:
            with os.scandir(root):
                return cls(root)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"{printable(str(root))} is not a hub of a study",
                why=f"it cannot be listed: {reason}",
                do="give the folder that holds the study's data/ and analysis/",
            ) from error

    def path(self, name: str) -> Path:
        """Give the place of *name*; raises `ForeignFileError` if that leads out of the hub."""
        return below(self.root, name)

    def exists(self, name: str) -> bool:
        """Whether something stands there, whatever it is."""
        try:
            return os.path.lexists(self.path(name))
        except ForeignFileError:
            return False

    @contextmanager
    def open(self, name: str) -> Iterator[BufferedReader]:
        """Open a regular file.

        Raises
        ------
        InputError
            If it is missing, or cannot be read.
        ForeignFileError
            If it is not a regular file, consists of holes, or leads out of the hub.
        """
        try:
            with open_regular(path := self.path(name)) as stream:
                refuse_hollow(stream, path)
                yield stream
        except FileNotFoundError as error:
            raise unreadable(name, "it is missing") from error
        except OSError as error:
            raise unreadable(name, error.strerror or str(error)) from error

    def bytes(self, name: str, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
        """Read a regular file of at most *max_bytes*; raises as `open`, and if it is larger."""
        with self.open(name) as stream:
            data = read_bounded(stream, max_bytes)
        if len(data) > max_bytes:
            raise unreadable(name, f"it has more than {max_bytes} bytes")
        return data

    def text(self, name: str) -> str:
        """Read a text in UTF-8, every character as it is; raises as `open`, and if it is none."""
        try:
            return self.bytes(name).decode()
        except UnicodeDecodeError as error:
            raise unreadable(name, f"it is not UTF-8 (byte {error.start})") from error

    def json(self, name: str) -> dict[str, Any]:
        """Read a JSON object, NaN and infinity as upstream writes them; raises as `text`.

        A name that stands twice in an object is refused: readers differ in which one they take.
        """
        try:
            document = json.loads(self.text(name), object_pairs_hook=_unique)
        except RecursionError as error:
            raise unreadable(name, "it is nested too deeply") from error
        except ValueError as error:
            raise unreadable(name, f"it is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise unreadable(name, f"it holds a {type(document).__name__}, not a JSON object")
        return document

    def all(self) -> list[Found]:
        """Everything that is not a folder, sorted by name; what sessions meet by is left out.

        Raises
        ------
        InputError
            If a folder cannot be listed, or there are more than `MAX_FILES` entries.
        """
        found: list[Found] = []
        for each in self._below("", MAX_DEPTH):
            found.append(each)
            if len(found) > MAX_FILES:
                raise unreadable("", f"it holds more than {MAX_FILES} files")
        return sorted(found, key=lambda each: each.name)

    def folders(self, name: str) -> list[str]:
        """Names of the folders right in the folder *name*, sorted; none if it is not there.

        No name at all is the hub itself.
        """
        try:
            with os.scandir(self.path(name) if name else self.root) as entries:
                return sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
        except (OSError, ForeignFileError):
            return []

    def _below(self, prefix: str, depth: int) -> Iterator[Found]:
        if not depth:
            raise unreadable(prefix, f"folders are nested more than {MAX_DEPTH} deep")
        try:
            with os.scandir(self.root / prefix) as listed:
                entries = sorted(listed, key=lambda each: each.name)
        except OSError as error:
            raise unreadable(prefix, error.strerror or str(error)) from error
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if is_working_file(name):
                continue
            try:
                about = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise unreadable(name, error.strerror or str(error)) from error
            if stat.S_ISDIR(about.st_mode):
                yield from self._below(f"{name}/", depth - 1)
            else:
                is_file = stat.S_ISREG(about.st_mode)
                yield Found(name, about.st_size, "" if is_file else kind_of(about.st_mode))


def is_working_file(name: str) -> bool:
    """Tell whether *name* is what work leaves meanwhile: locks, sessions, pieces, half a file."""
    parts = _named_before(name)
    last = parts[-1]
    is_hidden = any(each.startswith(".") or PIECES in each for each in parts)
    is_of_run = parts[0] in (ANALYSIS, GENERALIZATION) and not _OF_RUNS.isdisjoint(parts)
    is_half = last.endswith((PARTIAL, ATTEMPT, ".lock"))
    is_of_archive = name == CRATE  # an archive that was unpacked by another program
    return parts[0] in (LOCKS, *SESSION) or is_hidden or is_of_run or is_half or is_of_archive


def is_note_of_a_look(name: str) -> bool:
    """Tell whether *name* is what looking at a comparison, or calling it again, may leave there."""
    *folders, _ = _named_before(name)
    is_of_comparison = bool(folders) and folders[0] in (ANALYSIS, GENERALIZATION)
    return is_of_comparison and folders[-1] in _NOTES


def _named_before(name: str) -> list[str]:
    """Parts of a name: of what was set aside, those that it had."""
    parts = name.split("/")
    return parts[2:] if parts[0] == ARCHIVE and len(parts) > 2 else parts


_NOTES, _OF_RUNS = RunPaths.noted(), RunPaths.working()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r:.80} stands twice in one object")
    return found


def unreadable(name: str, why: str) -> InputError:
    """Say why a file of a hub cannot be used."""
    return InputError(
        f"{printable(name) or 'the hub'} cannot be read", why=why, do="restore it, or make it again"
    )
