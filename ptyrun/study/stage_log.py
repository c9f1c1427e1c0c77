"""What did a stage say? A log that is appended to, if it is a file and nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ptyrun.host import durable
from ptyrun.host.regular import below, open_regular, open_to_append
from ptyrun.study.hub import Hub

_PIECE_BYTES = 1 << 20


@contextmanager
def opened(hub: Hub, key: str) -> Iterator[int]:
    """Open a stage's log to append to it.

    Raises
    ------
    ForeignFileError
        If a link, a FIFO or the like stands there.
    StorageError
        If the disk refuses.
    """
    path = below(hub.root, hub.log(key).relative_to(hub.root).as_posix())
    durable.make_folder(path.parent)
    with ExitStack() as files:
        with durable.storage_errors(path):
            handle = files.enter_context(open_to_append(path))
        yield handle


def state(hub: Hub, key: str) -> str:
    """Give the length of a stage's log and its SHA-256; raises as `opened`."""
    return state_of(hub.log(key))


def state_of(path: Path) -> str:
    """Give the length of any file that grows and its SHA-256; raises as `opened`."""
    with durable.storage_errors(path, "read"), open_regular(path) as log:
        found = hashlib.sha256()
        while piece := log.read(_PIECE_BYTES):
            found.update(piece)
        return f"{log.tell()} {found.hexdigest()}"


def append(hub: Hub, key: str, line: str) -> None:
    """Append one line to a stage's log; raises as `opened`."""
    with opened(hub, key) as log, durable.storage_errors(hub.log(key)):
        os.write(log, f"{line}\n".encode(errors="replace"))
