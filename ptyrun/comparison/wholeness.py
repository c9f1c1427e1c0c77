"""Is every chunk of a run there, and is what it rests on as it was written?"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from ptyrun.comparison.run import Run
from ptyrun.engine.integrity import HARMLESS, Damage, Level, verify
from ptyrun.errors import DamageError, UnfinishedError
from ptyrun.progress import SILENT, Watcher


def require_complete(run: Run, why: str) -> None:
    """See that no chunk is missing; *why* says what for.

    Raises
    ------
    UnfinishedError
        If one is.
    """
    if left := run.progress.chunks_left():
        raise UnfinishedError(
            f"{left} chunks are still missing",
            why=why,
            do=f"go on with `ptyrun run {_where(run)}`; look at what is there with `ptyrun "
            f"preview {_where(run)}`",
        )


def require_whole(
    run: Run,
    why: str,
    more: Iterable[Damage] = (),
    *,
    level: Level = Level.FULL,
    watcher: Watcher = SILENT,
) -> None:
    """See that nothing which somebody reads is damaged; the watcher is told of all that is.

    Parameters
    ----------
    run : Run
    why : str
        Why this ends the work.
    more : iterable of Damage
        What is known besides.
    level : Level
        How closely to look at chunks.
    watcher : Watcher

    Raises
    ------
    DamageError
        Naming the first damage, and how many there are.
    """
    found = [*verify(run.paths, level), *more]
    wrong = [damage for damage in found if damage.kind not in HARMLESS]
    for damage in wrong:
        watcher.note(str(damage))
    if wrong:
        raise DamageError(
            f"{len(wrong)} parts of {run.folder} are damaged: {wrong[0]}",
            why=why,
            do=f"`ptyrun verify --repair {_where(run)}`, complete it with `ptyrun run` and "
            "`ptyrun finalize`, then give this command again",
        )


def _where(run: Run) -> str:
    return shlex.quote(str(run.folder))
