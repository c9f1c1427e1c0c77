"""Which bytes went into a run? SHA-256 of its input files, remembered while they stay untouched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ptyrun.engine import durable, ownership
from ptyrun.engine.documents import unsealed
from ptyrun.errors import InputError, StorageError
from ptyrun.host.attempts import ATTEMPTS


@dataclass
class Fingerprints:
    """SHA-256 of files, kept in a cache that trusts size, inode, mtime and ctime together.

    A change of content changes ctime, which no user program can set back. The cache is a hint: one
    that cannot be written or that somebody else wrote is none, and who only looks at a run writes
    none (*is_kept*).
    """

    cache: Path | None
    is_kept: bool = True

    def of(self, path: Path) -> str:
        """Digest one file, or a folder's files with their relative names.

        Returns
        -------
        str
            64 hex digits.

        Raises
        ------
        InputError
            If a file cannot be read.
        """
        if path.is_dir():
            digest = hashlib.sha256()
            for entry in sorted(child for child in path.rglob("*") if child.is_file()):
                digest.update(os.fsencode(entry.relative_to(path).as_posix()) + b"\0")
                digest.update(bytes.fromhex(self._of_file(entry)))
            return digest.hexdigest()
        return self._of_file(path)

    def of_files(self, name: str, files: Mapping[str, Path]) -> str:
        """Digest several files as one thing, each by its name in it.

        Remembered as one: a package may have thousands of files.

        Raises
        ------
        InputError
            If a file cannot be read.
        """
        try:
            identity = _identities(files)
            known = self._load()
            entry = known.get(name)
            if isinstance(entry, dict) and entry.get("stat") == identity:
                return str(entry["sha256"])
            digest = hashlib.sha256()
            for inside, path in sorted(files.items()):
                digest.update(f"{inside}\0".encode(errors="surrogateescape"))
                with path.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
            is_settled = _identities(files) == identity
        except OSError as error:
            raise InputError(
                f"{name} cannot be read", why=str(error), do="check its files and permissions"
            ) from error
        if is_settled:
            self._save({**known, name: {"stat": identity, "sha256": digest.hexdigest()}})
        return digest.hexdigest()

    def _of_file(self, path: Path) -> str:
        try:
            identity = _identity(path)
            known = self._load()
            key = str(path.resolve())
            entry = known.get(key)
            if isinstance(entry, dict) and entry.get("stat") == identity:
                return str(entry["sha256"])
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            is_settled = _identity(path) == identity  # not written to while it was read
        except OSError as error:
            raise InputError(
                f"{path} cannot be read",
                why=str(error),
                do="check the path and its permissions",
            ) from error
        if is_settled:
            self._save({**known, key: {"stat": identity, "sha256": digest}})
        return digest

    def damage(self) -> str | None:
        """Say what is wrong with the cache, which is then not believed; None if nothing is."""
        try:
            if text := self._text():
                unsealed(text)
        except ValueError as error:
            return str(error)
        return None

    def _text(self) -> str:
        if self.cache is None or not self.cache.is_file():
            return ""
        return self.cache.read_text(encoding="utf-8", errors="replace")

    def _load(self) -> dict[str, object]:
        try:
            return ownership.read_signed(self._text())
        except ValueError:
            return {}

    def _save(self, known: dict[str, object]) -> None:
        if self.cache is not None and self.is_kept:
            with suppress(StorageError, OSError):
                self.cache.parent.mkdir(parents=True, exist_ok=True)
                durable.write_hint(self.cache, ownership.signed(known).encode())
                if self._load():  # where no key can be kept, the next window reads it again
                    ATTEMPTS.progressed()


def _identity(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]


def _identities(files: Mapping[str, Path]) -> str:
    found = []
    for inside, path in sorted(files.items()):
        stat = path.stat()
        found.append(
            (inside, str(path), stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
        )
    return hashlib.sha256(repr(found).encode(errors="surrogateescape")).hexdigest()
