"""How is a zip archive from someone else read without harm?

Members are read into memory, never extracted. Whatever could leave a folder, swell beyond
measure or be read in two ways is refused by name before a byte of it is decompressed.
"""

from __future__ import annotations

import hashlib
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self

from ptyrun.errors import ModelError
from ptyrun.host import memory
from ptyrun.host.hdf5_look import fault_of
from ptyrun.host.zip_layout import require_one_reading
from ptyrun.texts import enumerated

MAX_TOTAL_BYTES = 8 << 30
MAX_RATIO = 200
RATIO_SLACK_BYTES = 16 << 20
DEFAULT_MEMBER_BYTES = 32 << 20  # as objects in memory, up to thirty times as much
PIECE_BYTES = 1 << 20
MAX_WEIGHTS_BYTES = 4 << 30
MAX_PACKED_BYTES = 1 << 30  # of weights


class SafeArchive:
    """The members of one zip archive.

    Parameters
    ----------
    source : Path or bytes
        The archive, or its content when it lay inside another one.
    name : str
        What errors call it.

    Raises
    ------
    ModelError
        If it is not a zip archive, truncated, or holds a member that is not to be trusted.
    """

    def __init__(self, source: Path | bytes, name: str) -> None:
        self.name = name
        try:
            with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
                require_one_reading(file)
            self._zip = zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source)
        except Exception as error:  # zipfile raises whatever the malformed part provokes
            raise self._refusal("it is not a whole zip archive", str(error)) from error
        try:
            self._members = self._checked()
        except ModelError:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def names(self) -> tuple[str, ...]:
        """Names of the members, in the archive's order."""
        return tuple(self._members)

    def read(self, member: str, max_bytes: int = DEFAULT_MEMBER_BYTES) -> bytes:
        """Decompress one member.

        Raises
        ------
        ModelError
            If it is missing, larger than *max_bytes*, or damaged.
        """
        info = self._found(member, max_bytes)
        try:
            return self._zip.read(info)
        except Exception as error:  # zipfile raises whatever the malformed part provokes
            raise self._refusal(f"{member} is damaged", str(error)) from error

    def _found(self, member: str, max_bytes: int) -> zipfile.ZipInfo:
        info = self._members.get(member)
        if info is None:
            raise self._refusal(f"it lacks {member}", f"it holds {enumerated(self.names())}")
        if info.file_size > max_bytes:
            raise self._refusal(
                f"{member} would take {info.file_size} bytes", f"at most {max_bytes} are read"
            )
        return info

    def copy(self, member: str, target: IO[bytes], max_bytes: int) -> str:
        """Decompress one member into a file, in pieces; give its SHA-256.

        Raises
        ------
        ModelError
            As `read`; also if it is packed, and large: weights hardly get shorter by that, and to
            unpack gigabytes takes long.
        OSError
            If there is no room for it.
        """
        info = self._found(member, max_bytes)
        if info.compress_type != zipfile.ZIP_STORED:
            self._found(member, min(max_bytes, MAX_PACKED_BYTES))
        digest = hashlib.sha256()
        for piece in self._pieces(info):
            digest.update(piece)
            target.write(piece)
        return digest.hexdigest()

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        try:
            with self._zip.open(info) as stream:
                while piece := stream.read(PIECE_BYTES):
                    yield piece
        except Exception as error:  # zipfile raises whatever the malformed part provokes
            raise self._refusal(f"{info.filename} is damaged", str(error)) from error

    def require_whole(self) -> None:
        """Read every member once, in pieces.

        Raises
        ------
        ModelError
            If one is damaged; the error names it.
        """
        for info in self._members.values():
            for _ in self._pieces(info):
                pass

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        total = 0
        for info in self._zip.infolist():
            if fault := _fault(info):
                raise self._refusal(f"entry {info.filename!r} is not to be trusted", fault)
            total += info.file_size
            members[info.filename] = info
        if total > MAX_TOTAL_BYTES:
            raise self._refusal(
                f"it would unpack to {total} bytes", f"at most {MAX_TOTAL_BYTES} are accepted"
            )
        return members

    def _refusal(self, what: str, why: str) -> ModelError:
        return ModelError(
            f"{self.name} is refused: {what}", why=why, do="get an intact copy of the model"
        )


def require_hdf5_member(archive: SafeArchive, member: str, max_bytes: int) -> None:
    """See that the HDF5 file in an archive can be opened; memory takes little of it.

    Raises
    ------
    ModelError
        Saying why not, where it cannot, and as `SafeArchive.copy`.
    OSError
        If there is no room for a copy of it.
    """
    with tempfile.NamedTemporaryFile() as file:
        digest = archive.copy(member, file, max_bytes)
        file.flush()
        fault = fault_of(Path(file.name), memory.available_bytes(), digest)
    if fault:
        raise _refused(f"{archive.name}/{member}", fault)


def require_hdf5(source: Path | bytes, name: str) -> None:
    """See that a model's HDF5 file can be opened, and leads nowhere else.

    Raises
    ------
    ModelError
        Saying why not, where it cannot.
    OSError
        If there is no such file, or it cannot be read.
    """
    if fault := fault_of(source, memory.available_bytes()):
        raise _refused(name, fault)


def _refused(name: str, fault: str) -> ModelError:
    return ModelError(f"{name} is refused", why=fault, do="get an intact copy of the model")


def _fault(info: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(info.filename)
    if "\\" in info.orig_filename or ":" in info.filename or "\0" in info.orig_filename:
        return "its name holds a backslash, a colon or a NUL"
    if path.is_absolute() or ".." in path.parts:
        return "its name leaves the folder"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a symbolic link"
    if info.file_size > MAX_RATIO * info.compress_size + RATIO_SLACK_BYTES:
        return f"{info.compress_size} bytes would unpack to {info.file_size}: a zip bomb"
    return None
