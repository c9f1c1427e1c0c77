"""Where do processes of one user on one machine leave word for each other?"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def user_folder() -> Path:
    """Name the folder: on a file system of this machine, of this user alone."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "ptyrun"
    import tempfile  # at the start of each process, and rarely needed

    return Path(tempfile.gettempdir()) / f"ptyrun-{os.getuid()}"


def make_own(folder: Path) -> bool:
    """Make *folder*, mode 0700, where there is none; tell whether only this user can write to it.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
