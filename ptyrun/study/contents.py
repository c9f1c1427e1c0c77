"""Which bytes has a file or folder of a study? By SHA-256, remembered while it stays untouched."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path

from ptyrun.host import checksums, durable, listing
from ptyrun.host.remembered import Remembered, identity

_TICK_S = 0.05  # two changes of a file within so much may leave the same ctime


class Contents:
    """What lies in a study, by content.

    That a file has the digest which a record gives it is remembered by inode, size and times, in
    the user's own cache: a change of content changes ctime, which no user program can set back.
    This object remembers as well, where that cache cannot be written.
    """

    def __init__(self) -> None:
        self._own = Remembered("study")
        self._seen: set[str] = set()
        self._identities: dict[Path, str] = {}

    def digest(self, path: Path, expected: str = "", seen: str = "") -> str | None:
        """Digest a file, or a folder's files with their names; None where there is none.

        Parameters
        ----------
        path : Path
        expected : str
            What it was: a file that is known to be that still is not read.
        seen : str
            Which file had that digest, as `seen` said then.

        Raises
        ------
        ForeignFileError
            If something else lies there, like a link.
        StorageError
            If the disk refuses to tell.
        """
        try:
            with durable.refusals(path):
                found = path.lstat()
                if stat.S_ISDIR(found.st_mode):
                    return self._of_folder(path)
                is_same = seen == identity(found)
                fact = _fact(path, found, expected)
                if expected and (is_same or fact in self._seen or self._own.holds(fact)):
                    self._identities[path] = identity(found)
                    return expected
                return self._read(path, found)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def seen(self, path: Path) -> str:
        """Which file was found at *path* and digested last; empty for a folder, or if it changed.

        By inode, size and times: no user program can set ctime back, so that a file of another
        content is another one.
        """
        return self._identities.get(path, "")

    def _read(self, path: Path, found: os.stat_result) -> str:
        self._identities.pop(path, None)
        age_s = time.time() - found.st_ctime
        if 0 <= age_s < _TICK_S:
            time.sleep(_TICK_S - age_s)
        digest = checksums.file_sha256(path)
        if age_s >= 0 and identity(path.lstat()) == identity(found):
            fact = _fact(path, found, digest)
            self._identities[path] = identity(found)
            self._seen.add(fact)
            self._own.add(fact)
        return digest

    def _of_folder(self, path: Path) -> str | None:
        digest = hashlib.sha256()
        files = sorted(listing.files_below(path), key=Path.as_posix)
        for file in files:
            if file.suffix == durable.PARTIAL:
                continue
            digest.update(os.fsencode(file.relative_to(path).as_posix()) + b"\0")
            digest.update(bytes.fromhex(checksums.file_sha256(file)))
        return digest.hexdigest() if files else None


def _fact(path: Path, found: os.stat_result, digest: str) -> str:
    return f"{os.path.realpath(path)} {identity(found)} {digest}"
