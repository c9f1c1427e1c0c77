"""How does a set of files take the place of an earlier one, whatever ends the process meanwhile?

The new set is made in a folder of its own below ``unpublished/``. Renaming that folder is the
moment from which it counts: until then the old set is untouched, afterwards its files are moved
into place one by one, the list of checksums last. Who finds a set half moved moves the rest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ptyrun.errors import StorageError
from ptyrun.host import checksums, durable, listing, trees

Obsolete = Callable[[frozenset[str]], Iterable[Path]]


class Publication:
    """One set of files that replaces another as a whole.

    Parameters
    ----------
    unpublished : Path
        Folder for sets that are being made or moved, on the target's file system.
    name : str
        Of the set, different from those of other sets.
    target : Path
        The folder that its files are for.
    obsolete : callable
        Given the paths of the new files below *target*, names more files that must go, besides
        those that only the old list of checksums has.
    """

    def __init__(
        self,
        unpublished: Path,
        name: str,
        target: Path,
        obsolete: Obsolete = lambda names: (),
    ) -> None:
        self._unpublished = unpublished
        self.name = name
        self._ready = unpublished / name
        self.target = target
        self._obsolete = obsolete

    @property
    def is_pending(self) -> bool:
        """Whether a set is complete and not wholly in place."""
        with durable.storage_errors(self._ready, "read"):
            return (self._ready / checksums.NAME).exists()

    def begin(self) -> Path:
        """Return an empty folder for a new set; one process at a time makes one.

        What earlier processes left is moved into place if it is complete, else deleted.
        """
        self.sweep()
        fresh = self._unpublished / f"{self.name}-{secrets.token_hex(4)}"
        durable.make_folder(fresh)
        return fresh

    def publish(self, fresh: Path) -> None:
        """Let the set in *fresh*, each file on disk for good, take the place of the old one.

        Raises
        ------
        StorageError
            If the disk refuses, or does not give back what was written; the old set stays.
        """
        try:
            new = frozenset(checksums.vouched(fresh))
        except ValueError as error:
            raise StorageError(
                f"the list of what was made for {self.target} cannot be read back",
                why=str(error),
                do="run the same command again; if it fails again, check the disk",
            ) from error
        durable.sync_all((*_folders(fresh), fresh))
        durable.publish(fresh, self._ready)
        durable.fsync_folder(self._unpublished)
        self._move(new)
        self._clear()

    def sweep(self) -> None:
        """Settle, and delete what ended processes left half made; no other process may make one."""
        self.settle()
        with suppress(OSError):
            for left in self._unpublished.glob(f"{self.name}-*"):
                trees.discard(left)
            self._unpublished.rmdir()

    def settle(self) -> None:
        """Move into place what is complete; no other process may make a set meanwhile."""
        with durable.storage_errors(self._ready, "read"):
            if not self._ready.is_dir():
                return
        with suppress(ValueError):  # a list that is no list vouches for no set
            self._move(frozenset(checksums.vouched(self._ready)))
        self._clear()

    def _clear(self) -> None:
        trees.discard(self._ready)
        with suppress(OSError):
            self._unpublished.rmdir()

    def _move(self, new: frozenset[str]) -> None:
        durable.make_folder(self.target)
        touched = {self.target}
        for file in checksums.files_below(self._ready):
            place = self.target / file.relative_to(self._ready)
            if place != self.target / checksums.NAME:
                with durable.storage_errors(place.parent):
                    place.parent.mkdir(parents=True, exist_ok=True)
                _put(file, place)
                touched.update(_up_to(self.target, place.parent))
        for old in (*self._only_listed_before(new), *self._obsolete(new)):
            with durable.storage_errors(old):
                old.unlink(missing_ok=True)
            _remove_empty(old.parent, self.target)
            touched.add(old.parent)
        durable.sync_all(folder for folder in touched if folder.is_dir())
        _put(self._ready / checksums.NAME, self.target / checksums.NAME)
        durable.fsync_folder(self.target)

    def _only_listed_before(self, new: frozenset[str]) -> list[Path]:
        try:
            listed = checksums.vouched(self.target)
        except ValueError:
            return []
        return [self.target / name for name in listed if name not in new]


def _up_to(top: Path, folder: Path) -> Iterator[Path]:
    """The folder and those around it, up to *top*."""
    while folder != top:
        yield folder
        folder = folder.parent


def _put(file: Path, place: Path) -> None:
    try:
        durable.publish(file, place)
    except (OSError, StorageError):
        if file.exists():  # else another process has put it there
            raise


def _remove_empty(folder: Path, below: Path) -> None:
    with suppress(OSError):  # it is not empty, or gone
        for each in _up_to(below, folder):
            each.rmdir()


def _folders(root: Path) -> list[Path]:
    return list(listing.folders_below(root))
