"""How does a finished study become one archive, and a hub again, with every byte checked?"""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import IO

from ptyrun.errors import (
    BlockedError,
    BusyError,
    DamageError,
    InputError,
    NewerError,
    PtyrunError,
    UsageError,
)
from ptyrun.host import durable, listing, locks, partials, trees
from ptyrun.host.free_place import require_free
from ptyrun.host.regular import open_regular
from ptyrun.host.zip_layout import require_one_reading
from ptyrun.study import crate, identity
from ptyrun.study.checks.inventory import line_fault
from ptyrun.study.checks.verify import verify
from ptyrun.study.crate import Packed
from ptyrun.study.files import MAX_FILES, HubFiles
from ptyrun.study.hub import CRATE, Hub, is_record
from ptyrun.study.plan import Study, graph
from ptyrun.study.record import Record
from ptyrun.study.state import State, survey
from ptyrun.texts import counted

PIECE_BYTES = 4 << 20
# A file takes more bytes in the metadata than in the archive's directory.
MAX_METADATA_BYTES = MAX_DIRECTORY_BYTES = 1 << 28
_MODE = (stat.S_IFREG | 0o644) << 16


def pack(study: Study, archive: Path) -> int:
    """Write a finished study as one ZIP archive with RO-Crate metadata; give the number of files.

    Equal hubs give equal bytes. Nothing in the hub is changed.

    Raises
    ------
    UsageError
        If the study is not complete, or something stands at *archive*.
    BlockedError
        If one of the ten checks of its comparisons fails.
    BusyError
        If a session works on the hub.
    InputError
        If it holds what cannot be packed, or more files than can be listed.
    """
    hub = study.hub
    require_free(archive)
    require_finished(study)
    files = HubFiles.of(hub.root)
    packed = [*described(files)]
    known = identity.of_hub(hub)
    metadata = crate.metadata(
        known.name if known else hub.root.absolute().name,
        packed,
        _records(files, packed),
        known.options if known else {},
    ).encode()
    if len(metadata) > MAX_METADATA_BYTES:
        raise InputError(
            f"{hub.root} has too many files to be packed: {len(packed)}",
            why=f"the list of them is {len(metadata)} bytes, of {MAX_METADATA_BYTES} at most",
            do="copy the folder as it is",
        )
    partial = partials.name(archive)
    durable.make_folder(archive.absolute().parent)
    with durable.storage_errors(archive):
        try:
            with zipfile.ZipFile(partial, "x", zipfile.ZIP_STORED, allowZip64=True) as target:
                with _member(target, CRATE) as member:
                    member.write(metadata)
                for file in packed:
                    with _member(target, file.name) as member, files.open(file.name) as source:
                        _require(file, _copied(source, member))
            durable.sync_file(partial)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    durable.publish(partial, archive)
    durable.fsync_folder(archive.absolute().parent)
    return len(packed)


def check(archive: Path) -> int:
    """See that an archive holds just the files that it lists, byte for byte; give their number.

    Raises
    ------
    InputError
        If it is not an archive of a study.
    DamageError
        If a file is missing, altered, or not listed.
    """
    return _read(archive, None)


def unpack(archive: Path, folder: Path) -> int:
    """Check an archive and make a hub of it; the folder is there when every byte was right.

    Raises
    ------
    UsageError
        If something stands at *folder*.
    InputError, DamageError
        As `check`; nothing is left then.
    """
    require_free(folder)
    durable.make_folder(folder.absolute().parent)
    place = folder.absolute().with_name(f".{folder.name}.{token_hex(4)}{partials.PARTIAL}")
    try:
        n_files = _read(archive, place)
        durable.publish(place, folder)
        durable.fsync_folder(folder.absolute().parent)
    finally:
        trees.discard(place)
    return n_files


def require_finished(study: Study) -> None:
    """See that a study is complete and right, and that nobody works on it; raises as `pack`."""
    _require_quiet(study.hub)
    _require_complete(study)


def _require_quiet(hub: Hub) -> None:
    for path in listing.matching(hub.sessions, "*.lock"):
        if locks.is_held(path):
            raise BusyError(
                f"a session works on {hub.root}",
                why=f"{path} is held",
                do="wait until it ends, then give this command again",
            )


def _require_complete(study: Study) -> None:
    if identity.of_hub(study.hub) is not None:
        left = [each for each in survey(graph(study)).values() if each.state is not State.DONE]
        if left:
            raise UsageError(
                f"the study in {study.hub.root} is not complete",
                why=f"{counted(len(left), 'stage')} not done, like {left[0].stage.key}: "
                f"{left[0].state}"
                + (f" ({left[0].why.partition('; ')[0]})" if left[0].why else ""),
                do="complete it with `ptyrun study run`; name its study.toml with --config",
            )
    if study.hub.comparison_manifest.exists():
        verdict = verify(study.hub.root)
        wrong = [each for each in verdict.validations if not each.valid]
        if wrong:
            raise BlockedError(
                f"{len(wrong)} of {len(verdict.validations)} checks of {study.hub.root} failed",
                why=f"{wrong[0].name}: {wrong[0].error:.300}",
                do="`ptyrun study verify` names all; correct that, then do it again",
            )


def described(
    files: HubFiles, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[Packed]:
    """Give size and SHA-256 of the wanted files of a hub; one that could not travel is refused."""
    for found in files.all():
        if not wanted(found.name):
            continue
        if found.kind or line_fault(found.name):
            raise InputError(
                f"{found.name!r:.120} cannot be packed",
                why=f"it is {found.kind}" if found.kind else f"its name {line_fault(found.name)}",
                do="remove or rename it",
            )
        digest, n_bytes = hashlib.sha256(), 0
        with files.open(found.name) as source:
            while piece := source.read(PIECE_BYTES):
                digest.update(piece)
                n_bytes += len(piece)
        yield Packed(found.name, n_bytes, digest.hexdigest())


def _records(files: HubFiles, packed: list[Packed]) -> Iterator[Record]:
    for file in packed:
        if is_record(file.name):
            try:
                yield Record.from_json(files.text(file.name), file.name)
            except NewerError:
                raise
            except PtyrunError:
                pass  # it travels as it is, and says nothing of the others


@contextmanager
def _member(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Open a member for writing: its date is that of 1980, whatever the clock says."""
    info = zipfile.ZipInfo(name)
    info.external_attr, info.create_system = _MODE, 3
    with archive.open(info, "w", force_zip64=True) as member:
        yield member


def _copied(source: IO[bytes], target: IO[bytes] | None) -> Packed:
    digest, n_bytes = hashlib.sha256(), 0
    while piece := source.read(PIECE_BYTES):
        digest.update(piece)
        n_bytes += len(piece)
        if target is not None:
            target.write(piece)
    return Packed("", n_bytes, digest.hexdigest())


def _require(wanted: Packed, found: Packed) -> None:
    if (found.n_bytes, found.sha256) != (wanted.n_bytes, wanted.sha256):
        raise DamageError(
            f"{wanted.name} is not what it should be",
            why=f"its {found.n_bytes} bytes have the SHA-256 {found.sha256[:12]}, and "
            f"{wanted.n_bytes} bytes with {wanted.sha256[:12]} were expected",
            do="pack the study again while nothing changes it",
        )


def _read(archive: Path, folder: Path | None) -> int:
    try:
        with open_regular(archive) as stream:
            # Before zipfile reads the whole directory, and members that share bytes fill the disk.
            require_one_reading(stream, most_members=MAX_FILES + 1, most_bytes=MAX_DIRECTORY_BYTES)
            with zipfile.ZipFile(stream) as source:
                return _read_members(source, archive, folder)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, RuntimeError) as error:
        raise DamageError(
            f"{archive} is damaged", why=str(error), do="get it again, or pack the study again"
        ) from error
    except OSError as error:
        raise InputError(
            f"{archive} cannot be read", why=error.strerror or str(error), do="correct the path"
        ) from error


def _read_members(source: zipfile.ZipFile, archive: Path, folder: Path | None) -> int:
    listed = _listed(source, archive)
    for wanted in listed.values():
        with source.open(wanted.name) as member:
            if folder is None:
                found = _copied(member, None)
            else:
                place = folder / wanted.name
                durable.make_folder(place.parent)
                with durable.storage_errors(place), place.open("xb") as target:
                    found = _copied(member, target)
        _require(wanted, found)
    return len(listed)


def _listed(source: zipfile.ZipFile, archive: Path) -> dict[str, Packed]:
    """Files as the metadata lists them; the archive has these, and nothing else."""
    members = source.infolist()
    names = [member.filename for member in members]
    if CRATE not in names:
        raise InputError(
            f"{archive} is not an archive of a study",
            why=f"it has no {CRATE}",
            do="give one that `ptyrun study pack` wrote",
        )
    if source.getinfo(CRATE).file_size > MAX_METADATA_BYTES:
        raise ValueError(f"its {CRATE} has more than {MAX_METADATA_BYTES} bytes")
    listed = crate.files_of(source.read(CRATE).decode())
    if sorted(names) != sorted([*listed, CRATE]):
        odd = sorted({*names}.symmetric_difference({*listed, CRATE})) or names
        raise ValueError(f"its files are not those that it lists, like {odd[0]!r:.80}")
    for member in members:
        if said := line_fault(member.filename):
            raise ValueError(f"the name {member.filename!r:.80} {said}")
        wanted = listed.get(member.filename)
        if wanted is not None and member.file_size != wanted.n_bytes:
            raise ValueError(f"{member.filename!r:.80} is not {wanted.n_bytes} bytes long")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ValueError(f"{member.filename!r:.80} is a symbolic link")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member.filename!r:.80} is compressed, which `study pack` does not")
        if PurePosixPath(member.filename).parts[0].startswith("."):
            raise ValueError(f"{member.filename!r:.80} is a hidden file")
    return listed
