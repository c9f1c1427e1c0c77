"""What is in an HDF5 file? Nothing outside that file, whatever its links say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.host import memory
from ptyrun.host.hdf5_look import fault_of
from ptyrun.ptycho.readers.hdf5_filters import foreign_filters, require_filters
from ptyrun.ptycho.readers.scan import require_square_frames
from ptyrun.texts import printable

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_LINKS = 16
MOST_TRIED = 1000  # members of a group, one after the other, until one is what is looked for
MAX_TEXT_BYTES = 1 << 16
MAX_VIEWS = 8
ALWAYS_BYTES = 16 << 20
# What h5py raises where a file is not what its headers promise.
DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, NotImplementedError)
CHUNK_CACHE_BYTES = 64 << 20


class Hdf5File:
    """One HDF5 file, read only; links and storage that lead out of it are refused.

    Parameters
    ----------
    path : Path
        The file.
    links_below : Path, optional
        A folder: links to files below it are followed, if these are sound themselves.
    depth : int
        Over how many links this file was reached.

    Raises
    ------
    InputError
        If the file cannot be opened, or would harm the process that opens it.
    """

    def __init__(self, path: Path, links_below: Path | None = None, depth: int = 0) -> None:
        self.path, self.links_below, self._depth = path, links_below, depth
        self._linked: dict[Path, Hdf5File] = {}
        try:
            if fault := fault_of(path):
                raise _unopened(path, fault, "is refused as an HDF5 file")
            self._file = h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE_BYTES)
        except DAMAGE as error:
            raise _unopened(path, str(error), "cannot be read as an HDF5 file") from error

    @property
    def root(self) -> h5py.Group:
        """The whole file, for its attributes."""
        return self._file["/"]

    @property
    def linked(self) -> tuple[Path, ...]:
        """Other files that links led to so far."""
        inner = (other for each in self._linked.values() for other in each.linked)
        return tuple(sorted({*self._linked, *inner}))

    def members(self, name: str) -> tuple[str, ...]:
        """Names in a group; none where it is no group of this file."""
        with self._plain_errors(name):
            found = self._resolved(name)
            return tuple(found) if isinstance(found, h5py.Group) else ()

    def link_of(self, name: str) -> str:
        """Where a soft link leads, by its text; the name itself where it is none."""
        with self._plain_errors(name):
            link = self._file.get(name, getlink=True)
            return printable(link.path) if isinstance(link, h5py.SoftLink) else name

    def text(self, name: str) -> str | None:
        """Read a dataset of one text; None where there is none, or another thing."""
        found = self.dataset(name)
        if found is None or found.size != 1 or found.dtype.kind not in "SO":
            return None
        if found.dtype.itemsize > MAX_TEXT_BYTES or found.id.get_storage_size() > MAX_TEXT_BYTES:
            return None
        with self._plain_errors(name):
            value = np.asarray(found[()]).reshape(-1)[0]
            text = value.decode(errors="replace") if isinstance(value, bytes) else value
            return text if isinstance(text, str) else None

    def dataset(self, *names: str) -> h5py.Dataset | None:
        """Return the first of these datasets that exists, else None.

        Raises
        ------
        InputError
            If one leads out of the file.
        """
        for name in names:
            with self._plain_errors(name):
                found = self._resolved(name)
                if isinstance(found, h5py.Dataset):
                    return self._inside(found)
        return None

    def required(self, *names: str) -> h5py.Dataset:
        """Return the first of these datasets that exists.

        Raises
        ------
        InputError
            If none does.
        """
        found = self.dataset(*names)
        if found is None:
            raise InputError(
                f"{self.path} has no {names[0]}",
                why=f"looked for: {', '.join(names)}",
                do="give a file that holds it",
            )
        return found

    def array(self, *names: str) -> NDArray[Any]:
        """Read the first of these datasets that exists, whole.

        Raises
        ------
        InputError
            If none does, or it cannot be read.
        """
        return self.read(self.required(*names), ())

    def number(self, *names: str) -> float | None:
        """Read the first value of the first of these datasets that exists, else None."""
        found = self.dataset(*names)
        if found is None or found.dtype.kind not in "fiu" or found.size == 0:
            return None
        return float(self.read(found, (0,) * found.ndim))

    def flag(self, name: str) -> bool:
        """Whether a dataset of one value is there and true."""
        found = self.dataset(name)
        if found is None or found.dtype.kind not in "biu" or found.size != 1:
            return False
        return bool(self.read(found, ()).any())

    def read(self, dataset: h5py.Dataset, selection: Any) -> NDArray[Any]:
        """Read a part of a dataset.

        Raises
        ------
        InputError
            If it cannot be read: no numbers, damaged, larger than memory, or packed with a filter
            that is not installed.
        """
        with self._plain_errors(dataset.name):
            if dataset.dtype.kind not in "biufc":
                raise TypeError(f"it is {dataset.dtype}, not numbers")
            require_memory(self.path, dataset, _bytes_to_read(dataset, selection))
            return np.asarray(dataset[selection])

    def read_records(self, dataset: h5py.Dataset) -> NDArray[Any]:
        """Read a dataset whole, of numbers or of records of two real numbers each.

        Raises
        ------
        InputError
            If it is anything else, or cannot be read.
        """
        fields = dataset.dtype.fields
        if fields is None:
            return self.read(dataset, ())
        with self._plain_errors(dataset.name):
            kinds = {kind for kind, *_ in fields.values()}
            if len(fields) != 2 or len(kinds) != 1 or next(iter(kinds)).kind not in "iuf":
                raise TypeError(f"it is {dataset.dtype}, not numbers")
            require_memory(self.path, dataset, _bytes_to_read(dataset, ()))
            return np.asarray(dataset[()])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def _plain_errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except (*DAMAGE, MemoryError) as error:
            raise InputError(
                f"{name} of {self.path} cannot be read",
                why=f"{str(error) or type(error).__name__}{self._packed_with(name)}",
                do="copy the file again, or repack it with gzip (h5repack -f GZIP=1)",
            ) from error

    def _packed_with(self, name: str) -> str:
        """Name the filters of a dataset that are not part of HDF5: they may be what fails."""
        with suppress(*DAMAGE, InputError):
            found = self._resolved(name)
            if isinstance(found, h5py.Dataset) and (foreign := foreign_filters(found)):
                return f"; it is packed with {foreign}"
        return ""

    def _resolved(self, name: str) -> Any:
        """Follow a path part by part, soft links included, never out of the file."""
        here: Any = self._file
        parts = [part for part in name.split("/") if part]
        links = 0
        while parts:
            part = parts.pop(0)
            if not isinstance(here, h5py.Group):
                return None
            link = here.get(part, getlink=True)
            if link is None:
                return None
            if isinstance(link, h5py.ExternalLink):
                other = self._other(f"{here.name}/{part}", link.filename)
                return other._resolved("/".join([link.path, *parts]))
            if isinstance(link, h5py.SoftLink):
                links += 1
                if links > MAX_LINKS:
                    return None
                here = self._file if link.path.startswith("/") else here
                parts = [step for step in link.path.split("/") if step] + parts
            else:
                here = here.get(part)
        return here

    def _inside(self, dataset: h5py.Dataset, views: int = 0) -> h5py.Dataset:
        if dataset.external:
            raise self._leads_out(dataset.name, f"raw data in {dataset.external[0][0]}")
        require_filters(self.path, dataset)
        if dataset.is_virtual:
            if views == MAX_VIEWS:
                raise self._leads_out(dataset.name, f"view of a view, {views} times")
            sources = {(source.file_name, source.dset_name) for source in dataset.virtual_sources()}
            for file_name, name in sources:
                file = self
                if file_name != ".":
                    file = self._other(dataset.name, file_name, "virtual dataset of")
                found = file._resolved(name)
                if not isinstance(found, h5py.Dataset):
                    raise self._leads_out(dataset.name, f"virtual dataset of {name}: not one")
                file._inside(found, views + 1)
        return dataset

    def _other(self, name: str, file_name: str, how: str = "link to") -> Hdf5File:
        """Open another file that this one names, if it lies where links may lead."""
        how = f"{how} {file_name}"
        if self.links_below is None:
            raise self._leads_out(name, how)
        allowed = self.links_below.resolve()
        target = (self.path.parent / file_name).resolve()
        if not target.is_file() and Path(file_name).is_absolute():
            # As HDF5 itself does: what was moved with the file that names it.
            target = (self.path.parent / Path(file_name).name).resolve()
        if not target.is_relative_to(allowed) or self._depth >= MAX_LINKS:
            raise InputError(
                f"{name} of {self.path} is not below {self.links_below}",
                why=f"it is a {how}, that is {target}"
                + (f", over {self._depth} links" if self._depth >= MAX_LINKS else ""),
                do="name a folder that holds it with --follow-links, or copy everything into one "
                "file",
            )
        if not target.is_file():
            raise InputError(
                f"{name} of {self.path} leads to a file that is not there",
                why=f"it is a {how}, and there is no {target}",
                do="put the file back, or copy everything into one file",
            )
        if target not in self._linked:
            self._linked[target] = Hdf5File(target, self.links_below, self._depth + 1)
        return self._linked[target]

    def _leads_out(self, name: str, how: str) -> InputError:
        return InputError(
            f"{name} of {self.path} is not in the file",
            why=f"it is a {how}, and only the file itself is read",
            do="use --follow-links DIR with the folder that holds both, or copy everything into "
            "one file (h5repack --merge, or h5py)",
        )


def _unopened(path: Path, why: str, what: str) -> InputError:
    if "unable to lock file" in why:
        return InputError(
            f"{path} is open in another program, or on a file system without locks",
            why=why,
            do="wait until the program that writes it has closed it; where none does, set "
            "HDF5_USE_FILE_LOCKING=FALSE and run the same command again",
        )
    if "already open for write" in why or "consistency flags" in why:
        return InputError(
            f"{path} is being written, or was not closed by the program that wrote it",
            why=why,
            do="wait until it is closed; if that program crashed, repair the file with "
            "`h5clear -s FILE` and check what it holds",
        )
    do = "check the path, and copy the file again if it is truncated"
    return InputError(f"{path} {what}", why=why, do=do)


def require_memory(path: Path, dataset: h5py.Dataset, n_bytes: int) -> None:
    """See that *n_bytes* for a dataset can be had before they are asked for.

    Raises
    ------
    InputError
        If they cannot.
    """
    if n_bytes > ALWAYS_BYTES and n_bytes > (left := memory.available_bytes()):
        raise InputError(
            f"{dataset.name} of {path} does not fit into memory",
            why=f"{dataset.dtype} of shape {dataset.shape} takes {n_bytes} bytes; {left} are left",
            do="correct the file, or use a machine with more memory",
        )


def _bytes_to_read(dataset: h5py.Dataset, selection: Any) -> int:
    """What HDF5 allocates to read a part: its values, and the largest chunk whole."""
    if dataset.shape is None:
        raise ValueError("it holds nothing")
    shape = dataset.shape
    if isinstance(selection, slice):
        shape = (selection.stop - selection.start, *shape[1:])
    elif selection:
        shape = shape[len(selection) :]
    n_values: int = math.prod(shape) + math.prod(dataset.chunks or (0,))
    return n_values * int(dataset.dtype.itemsize)


@dataclass(frozen=True)
class Hdf5Frames:
    """Frames of one dataset (m, N, N); ``order`` (n,) says which frame belongs to a position.

    ``bad`` (N, N) marks pixels that become zero.
    """

    file: Hdf5File
    dataset: h5py.Dataset
    order: NDArray[np.int64]
    bad: NDArray[np.bool_] | None = None

    def check(self) -> None:
        """Leave it to HDF5, which compares the checksums of what it reads where there are any."""

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Frames as stored, shape (k, N, N)."""
        rows, inverse = np.unique(self.order[frames], return_inverse=True)
        found = np.empty((len(rows), *self.dataset.shape[1:]), self.dataset.dtype)
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
            run = slice(int(rows[start]), int(rows[start]) + int(stop - start))
            found[start:stop] = self.file.read(self.dataset, run)
        if self.bad is not None:
            found[:, self.bad] = 0
        return found[inverse]


def checked_stack(path: Path, dataset: h5py.Dataset) -> int:
    """Side N of a stack of square frames (m, N, N) of real numbers.

    Raises
    ------
    InputError
        If it is anything else.
    """
    shape: tuple[int, ...] = dataset.shape or ()
    require_square_frames(f"{dataset.name} of {path}", shape, dataset.dtype)
    # A frame is held as stored, in double precision, and as amplitude.
    require_memory(path, dataset, 4 * 8 * int(shape[1]) ** 2)
    return int(shape[1])
