"""Which bytes went into a run? SHA-256 of its input files, remembered while they stay untouched."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

from ptyrun.engine import ownership
from ptyrun.engine.costs import Outcome
from ptyrun.errors import InputError, StorageError
from ptyrun.host import durable, listing
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.documents import unsealed
from ptyrun.host.regular import kind_of

MAX_FILES = 20_000  # of one model: whoever names a whole disk is not to wait for it
STEP_BYTES = 64 << 20  # a smaller file is read in less than half a second


@dataclass
class Fingerprints:
    """SHA-256 of files, kept in a cache that trusts size, inode, mtime and ctime together.

    A change of content changes ctime, which no user program can set back. The cache is a hint: one
    that cannot be written or that somebody else wrote is none, and who only looks at a run writes
    none (*is_kept*). A file that takes a while is a step of its own where steps are *measured*.
    """

    cache: Path | None
    is_kept: bool = True
    measured: Callable[[str], AbstractContextManager[Outcome]] | None = None

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
        try:
            if not path.is_dir():
                return self._of_file(path)
            files = sorted(islice(listing.files_below(path), MAX_FILES + 1))
        except (OSError, StorageError) as error:
            raise _unreadable(path, error) from error
        if len(files) > MAX_FILES:
            raise InputError(
                f"{path} has more than {MAX_FILES} files",
                why="a model is a file, or a folder of some files",
                do="name the model itself",
            )
        digest = hashlib.sha256()
        for entry in files:
            digest.update(os.fsencode(entry.relative_to(path).as_posix()) + b"\0")
            digest.update(bytes.fromhex(self._of_file(entry)))
        return digest.hexdigest()

    def of_files(self, name: str, files: Mapping[str, Path]) -> str:
        """Digest several files as one thing, each by its name in it.

        Remembered as one: a package may have thousands of files.

        Raises
        ------
        InputError
            If a file cannot be read.
        """
        try:
            return self._remembered(name, partial(_identities, files), partial(_digest, files))
        except OSError as error:
            raise InputError(
                f"{name} cannot be read",
                why=f"{error.filename}: {durable.why_unreadable(error)}",
                do="check its files and permissions",
            ) from error

    def _of_file(self, path: Path) -> str:
        try:
            name = os.path.realpath(path)
            step = f"SHA-256 of {name}" if path.stat().st_size >= STEP_BYTES else None
            return self._remembered(
                name, partial(identity, path), lambda: _sha256(path).hex(), step
            )
        except OSError as error:
            raise _unreadable(path, error) from error

    def _remembered(
        self,
        name: str,
        identify: Callable[[], object],
        digest: Callable[[], str],
        step: str | None = None,
    ) -> str:
        """What *digest* finds, unless it is known for what *identify* tells now."""
        found = identify()
        entry = self._known.get(name)
        if isinstance(entry, dict) and entry.get("stat") == found:
            return str(entry["sha256"])
        measured = self.measured if step and self.measured else _unmeasured
        with measured(step or name) as outcome:
            sha256 = digest()
            outcome.is_kept = False
            if identify() == found:  # not written to while it was read
                self._known[name] = {"stat": found, "sha256": sha256}
                outcome.is_kept = self._save(name)
        return sha256

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

    @cached_property
    def _known(self) -> dict[str, object]:
        """What is remembered; read once, since a list of results asks for a hundred files."""
        return self._load()

    def _load(self) -> dict[str, object]:
        try:
            return ownership.read_signed(self._text())
        except (ValueError, OSError):
            return {}

    def _save(self, name: str) -> bool:
        if self.cache is not None and self.is_kept:
            with suppress(StorageError, OSError):
                self.cache.parent.mkdir(parents=True, exist_ok=True)
                known = {**self._load(), name: self._known[name]}  # others may have written
                durable.write_hint(self.cache, ownership.signed(known).encode())
                if self._load():  # where no key can be kept, the next window reads it again
                    ATTEMPTS.progressed()
                    return True
        return False


def _unmeasured(_: str) -> AbstractContextManager[Outcome]:
    return nullcontext(Outcome())


def _unreadable(path: Path, error: OSError | StorageError) -> InputError:
    why = durable.why_unreadable(error) if isinstance(error, OSError) else error.why
    return InputError(f"{path} cannot be read", why=why, do="check the path and its permissions")


def identity(path: Path) -> list[int]:
    """Size, inode and times: they tell a file as it is from what it was or will be."""
    found = path.stat()
    return [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]


def _identities(files: Mapping[str, Path]) -> str:
    found = [(inside, str(path), *identity(path)) for inside, path in sorted(files.items())]
    return hashlib.sha256(repr(found).encode(errors="surrogateescape")).hexdigest()


def _digest(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for inside, path in sorted(files.items()):
        digest.update(f"{inside}\0".encode(errors="surrogateescape"))
        digest.update(_sha256(path))
    return digest.hexdigest()


def _sha256(path: Path) -> bytes:
    # A manifest may name anything: a FIFO would be waited for, a device never ends.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"it is {kind_of(mode)}, not a file", str(path))
        return hashlib.file_digest(stream, "sha256").digest()
