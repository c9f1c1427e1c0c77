"""Are the files that a stage left still those that it left?

``SHA256SUMS``, written last, in the form that ``sha256sum -c`` reads. Its first line, to which that
is a comment, vouches for the lines below; a second one may say what the files were made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import google_crc32c

from ptyrun.host import durable, listing
from ptyrun.host.regular import below, open_regular, read_regular, refuse_hollow

NAME = "SHA256SUMS"
MAX_BYTES = 2**27
_HEAD = "# SHA-256 of the lines below: "
_MADE_FROM = "# made from: "
_PIECE_BYTES = 1 << 18


def file_sha256(path: Path) -> str:
    """Digest one regular file that has no holes to speak of, 64 hex digits."""
    with open_regular(path) as stream:
        refuse_hollow(stream, path)
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_sha256(path: Path) -> str:
    """Digest what ``sha256sum`` prints of a folder's files, sorted by their names in it."""
    lines = (
        f"{file_sha256(file)}  {file.relative_to(path).as_posix()}\n"
        for file in sorted(listing.files_below(path), key=Path.as_posix)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_crc32c(path: Path) -> int:
    """CRC-32C of a file of any length."""
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            crc = google_crc32c.extend(crc, piece)
    return crc


def files_below(path: Path) -> list[Path]:
    """Give a folder's files, sorted; a file is its own list; what a writer left half is none."""
    with durable.storage_errors(path, "read"):
        if not path.is_dir():
            return [path] if path.is_file() and path.suffix != durable.PARTIAL else []
    whole = (file for file in listing.files_below(path) if file.suffix != durable.PARTIAL)
    return sorted(whole, key=Path.as_posix)


def write(folder: Path, left: Iterable[Path], made_from: str = "") -> None:
    """Vouch for the files and folders in *left*, all of them below *folder*.

    Parameters
    ----------
    folder : Path
    left : iterable of Path
    made_from : str
        A digest of all that the files depend on, if they shall be told from those of other facts.
    """
    files = sorted({file for path in left for file in files_below(path)}, key=Path.as_posix)
    lines = f"{_MADE_FROM}{made_from}\n" if made_from else ""
    lines += "".join(f"{file_sha256(f)}  {f.relative_to(folder).as_posix()}\n" for f in files)
    head = f"{_HEAD}{hashlib.sha256(lines.encode()).hexdigest()}\n"
    durable.write_atomic(folder / NAME, f"{head}{lines}".encode())


def withdraw(folder: Path) -> None:
    """Vouch for nothing in *folder* any more, before its files are written anew."""
    with durable.storage_errors(folder / NAME):
        (folder / NAME).unlink(missing_ok=True)


def vouched(folder: Path) -> dict[str, str]:
    """Read the digests by path below *folder*.

    Raises
    ------
    ValueError
        If the list is missing or no longer what was written; the message says which.
    StorageError
        If the disk refuses to tell.
    """
    lines = (line for line in _lines(folder) if not line.startswith("#"))
    digests = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in digests:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"it names a file outside its folder: {name!r}")
    return digests


def made_from(folder: Path) -> str:
    """Tell what the files were made from; empty if that was not said, or cannot be read."""
    try:
        found = (line for line in _lines(folder) if line.startswith(_MADE_FROM))
        return next(found, "").removeprefix(_MADE_FROM)
    except ValueError:
        return ""


def _lines(folder: Path) -> list[str]:
    try:
        with durable.refusals(folder / NAME):
            text = read_regular(folder / NAME, MAX_BYTES).decode()
        head, lines = text.split("\n", 1)
    except FileNotFoundError:
        raise ValueError("it is missing, so the files beside it have no checksums") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"it cannot be read: {error}") from error
    if head != f"{_HEAD}{hashlib.sha256(lines.encode()).hexdigest()}":
        raise ValueError("its first line does not match the others")
    return lines.splitlines()


def problems(folder: Path) -> Iterator[tuple[str, str]]:
    """Read every file that is vouched for; give path below *folder* and what is wrong with it."""
    try:
        digests = vouched(folder)
    except ValueError as error:
        yield NAME, str(error)
        return
    for name, digest in digests.items():
        try:
            with durable.refusals(folder / name):
                found = file_sha256(below(folder, name))
            if found != digest:
                yield name, "its bytes are not those that were written"
        except FileNotFoundError:
            yield name, "it is missing"
        except OSError as error:
            yield name, f"it cannot be read: {error.strerror}"
