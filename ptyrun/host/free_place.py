"""May something be written where a user says? Nothing that stands there goes unasked."""

from __future__ import annotations

import os
from pathlib import Path

from ptyrun.errors import UsageError


def require_free(path: Path, *, overwrite: bool | None = None) -> None:
    """See that a file or folder may be written at *path*.

    Parameters
    ----------
    path : Path
    overwrite : bool, optional
        Whether a file that is there may be replaced; None where nobody can ask for that. A folder
        never is.

    Raises
    ------
    UsageError
        If something stands there.
    """
    if not os.path.lexists(path) or (overwrite and not path.is_dir()):
        return
    can_be_asked = overwrite is not None and not path.is_dir()
    raise UsageError(
        f"{path} exists already",
        why="it is a folder, which is not replaced"
        if path.is_dir()
        else "existing files are not overwritten",
        do="choose another name" + (", or allow it with --overwrite" if can_be_asked else ""),
    )
