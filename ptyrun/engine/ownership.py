"""Did this user make this run, or was its folder made by somebody else?

A run's folder may come from anybody, and its checksums prove nothing of who wrote it. A key in the
user's configuration, which no sender can know, marks the runs that this user planned or adopted,
and the folders whose kept steps are this user's. Marks move with the folder; on a machine
with another home a run is foreign, until it is adopted there. Hints in a run's folder are signed
with it as well: what somebody else wrote there is no hint.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from ptyrun.config import OWN_BACKENDS
from ptyrun.engine.manifest import MAX_BYTES as MAX_MANIFEST_BYTES
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import IdentityError, NewerError, PtyrunError
from ptyrun.host import durable, trees
from ptyrun.host.documents import Document, sealed, unsealed
from ptyrun.host.regular import read_regular
from ptyrun.paths import RunPaths

log = logging.getLogger(__name__)

KEY_BYTES = 32
DEBUG_FOLDER = "baseline_debug_dir"
# Runs planned by older versions name it among an arm's facts; no session does anything with it.
FORMER_TRUST = "option.trust_bundle"
_OPTION = "option."
_SIGNATURE = "by"


@dataclass(frozen=True)
class _Marks(Document):
    """Content of ``owner.json``: by a name of the key, what only its holder can have written."""

    NAME: ClassVar[str] = "owner.json"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = "delete it, and adopt the run again"

    manifests: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the marks; what cannot be read marks nothing, but a newer ptyrun's raise."""
        try:
            return super().load(path)
        except NewerError:
            raise
        except (OSError, ValueError, PtyrunError):
            return cls()


def key_path() -> Path:
    """Where this user's key lies."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    home = Path(configured) if configured else Path("~/.config").expanduser()
    return home / "ptyrun" / "key"


def is_own(paths: RunPaths) -> bool:
    """Tell whether this user planned or adopted this very manifest."""
    with suppress(NewerError):
        key, marks = _key(), _Marks.load(paths.owner)
        return key is not None and _is_marked(marks.manifests, key, _manifest_text(paths))
    return False


def refuse_newer(paths: RunPaths) -> None:
    """See that this ptyrun can read whose the run is.

    Raises
    ------
    NewerError
        If a newer ptyrun wrote that down.
    """
    _Marks.load(paths.owner)


def mark(paths: RunPaths) -> bool:
    """Mark a run as this user's; False, said once, where no key can be kept or no mark written.

    Steps that somebody else may have left are forgotten before. The marks of a newer ptyrun stay.
    """
    forget_foreign_steps(paths)
    key, marks = _key(make=True), _marks(paths)
    if key is None or marks is None:
        return False
    wanted = _with_folder(marks, key, paths)
    manifests = {**marks.manifests, _name_of(key): _mac(key, _manifest_text(paths))}
    wanted = replace(wanted, manifests=manifests)
    return wanted == marks or _write(paths, wanted)


def signed(document: Mapping[str, Any]) -> str:
    """Write a hint that only this user believes; where no key can be kept, none does."""
    key = _key(make=True)
    signature = "" if key is None else _mac(key, _hint_text(document))
    return sealed({**document, _SIGNATURE: signature})


def read_signed(text: str) -> dict[str, Any]:
    """Read what :func:`signed` wrote.

    Raises
    ------
    ValueError
        If it is not whole, or somebody else's.
    """
    document = unsealed(text)
    signature, key = str(document.pop(_SIGNATURE, "")), _key()
    if key is None or not hmac.compare_digest(
        signature.encode(), _mac(key, _hint_text(document)).encode()
    ):
        raise ValueError("it was not written by this user")
    return document


def forget_foreign_steps(paths: RunPaths) -> None:
    """Delete the steps towards results that somebody else may have left; they are made again.

    Where that cannot be remembered, for want of a key, they stay: they hold figures, no code.
    """
    key, marks = _key(make=True), _marks(paths)
    if key is None or marks is None or is_own(paths):
        return
    if _is_marked(marks.folders, key, _folder_text(paths)):
        return
    trees.discard(paths.steps)
    _write(paths, _with_folder(marks, key, paths))


def _marks(paths: RunPaths) -> _Marks | None:
    """Give the marks that may be written anew; None if a newer ptyrun wrote them."""
    try:
        return _Marks.load(paths.owner)
    except NewerError as error:
        log.info("%s cannot be marked as this user's: %s", paths.root, error)
        return None


def _with_folder(marks: _Marks, key: bytes, paths: RunPaths) -> _Marks:
    return replace(marks, folders={**marks.folders, _name_of(key): _mac(key, _folder_text(paths))})


def require_own(manifest: Manifest, paths: RunPaths, *, adopt: bool) -> None:
    """See that what a manifest would have imported, called or written is this user's word.

    Parameters
    ----------
    manifest : Manifest
    paths : RunPaths
    adopt : bool
        Whether the user says now that this folder is to be believed; it is then marked.

    Raises
    ------
    IdentityError
        If the run is somebody else's and asks for such a thing; the error names it.
    NewerError
        If it asks for such a thing, and whose it is was written down by a newer ptyrun.
    """
    if is_own(paths):
        return
    if adopt:
        mark(paths)
        return
    if asked := _asks_for(manifest):
        refuse_newer(paths)  # a newer ptyrun may know whose it is
        raise IdentityError(
            f"{paths.root} was not planned by this user on this machine: {asked[0]}",
            why="the folder may come from another user, and this would be done with your rights"
            + (f"; also: {'; '.join(asked[1:])}" if asked[1:] else ""),
            do="if you trust it, give --adopt once; or give the `ptyrun compare` command that "
            "planned it",
        )


def _asks_for(manifest: Manifest) -> list[str]:
    found = []
    for arm in manifest.arms:
        backend = arm.facts.get("backend")
        if arm.n_chunks and backend not in OWN_BACKENDS:
            found.append(f"arm {arm.name} is predicted by another package's code ({backend!r:.60})")
        found += [
            f"arm {arm.name} has {name.removeprefix(_OPTION)}={value!r:.60}"
            for name, value in arm.facts.items()
            if name.startswith(_OPTION) and name != FORMER_TRUST
        ]
    if (folder := manifest.sources.get(DEBUG_FOLDER)) is not None:
        found.append(f"pictures are written to {folder!r:.200}")
    return found


def _manifest_text(paths: RunPaths) -> str:
    """Name the manifest with everything it says, where inputs lie included."""
    with suppress(OSError, PtyrunError):
        data = read_regular(paths.manifest, MAX_MANIFEST_BYTES)
        return f"manifest {hashlib.sha256(data).hexdigest()}"
    return ""


def _hint_text(document: Mapping[str, Any]) -> str:
    return f"hint {json.dumps(document, sort_keys=True)}"


def _folder_text(paths: RunPaths) -> str:
    """Name the folder itself: a copy of it is another one."""
    with suppress(OSError):
        found = paths.root.stat()
        return f"folder {found.st_dev} {found.st_ino}"
    return ""


def _is_marked(marks: Mapping[str, str], key: bytes, text: str) -> bool:
    left = marks.get(_name_of(key), "")
    return bool(text) and hmac.compare_digest(left.encode(), _mac(key, text).encode())


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _name_of(key: bytes) -> str:
    return _mac(key, "name")[:16]


def _write(paths: RunPaths, marks: _Marks) -> bool:
    try:
        marks.save(paths.owner)
    except (OSError, PtyrunError) as error:
        log.info("%s cannot be marked as this user's: %s", paths.root, error)
        return False
    return True


def _key(*, make: bool = False) -> bytes | None:
    """Give this user's key; None if there is none, or others could have written it."""
    path = key_path()
    try:
        return _read_key(path)
    except FileNotFoundError:
        return _make_key(path) if make else None
    except OSError as error:
        log.info("runs cannot be marked as this user's: %s", error)
        return None


def _read_key(path: Path) -> bytes:
    with path.open("rb") as stream:
        found = os.fstat(stream.fileno())
        key = stream.read(KEY_BYTES + 1)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{path} is open to others: `chmod 600` it")
    if len(key) != KEY_BYTES:
        raise PermissionError(f"{path} is not a key: delete it")
    return key


def _make_key(path: Path) -> bytes | None:
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}{durable.PARTIAL}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
        try:
            with suppress(FileExistsError):  # another process was faster: its key counts
                os.link(partial, path)
        finally:
            partial.unlink()
        return _read_key(path)
    except OSError as error:
        log.info("runs cannot be marked as this user's: %s", error)
        return None
