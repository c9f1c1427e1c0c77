"""Is every chunk of a run there, and is what it rests on as it was written?"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence

from ptyrun.comparison.checked_chunks import CheckedChunks
from ptyrun.comparison.keeping import Pace
from ptyrun.comparison.run import Run
from ptyrun.engine.integrity import HARMLESS, Damage, Level, byte_damages, verify
from ptyrun.errors import DamageError, UnfinishedError
from ptyrun.progress import SILENT, Watcher
from ptyrun.texts import counted

NOT_COMMITTED = "its bytes are not those that the ledger records"
_LOOKED_EVERY = 64  # chunks, at the clock


def require_complete(run: Run, why: str) -> None:
    """See that no chunk is missing; *why* says what for.

    Raises
    ------
    UnfinishedError
        If one is.
    """
    if left := run.progress.chunks_left():
        raise UnfinishedError(
            f"{counted(left, 'chunk')} left to compute",
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
    _raise_if_any(run, [d for d in found if d.kind not in HARMLESS], why, watcher)


def require_untouched(
    run: Run,
    checked: CheckedChunks,
    checkpoint: Callable[[bool], None],
    watcher: Watcher = SILENT,
) -> None:
    """Read every chunk that was touched since it was last read, and see that it is whole.

    *checkpoint* is called now and then, with whether what was read so far was kept.

    Raises
    ------
    DamageError
        As `require_whole`.
    """
    wrong: list[Damage] = []
    pace = Pace()
    for arm in run.progress.arms.values():
        for chunk in checked.touched(arm):
            mark = checked.mark(arm, chunk)
            if found := list(byte_damages(run.paths, arm, chunk)):
                wrong += found
                continue
            checked.note(arm, chunk, mark)
            if chunk % _LOOKED_EVERY == 0:
                if is_due := pace.is_due():
                    with pace.paused():
                        checked.save()
                checkpoint(is_due)
    checked.save()
    _raise_if_any(run, wrong, NOT_COMMITTED, watcher)


def _raise_if_any(run: Run, wrong: Sequence[Damage], why: str, watcher: Watcher) -> None:
    for damage in wrong:
        watcher.note(str(damage))
    if wrong:
        raise DamageError(
            f"{counted(len(wrong), 'part')} of {run.folder} {'is' if len(wrong) == 1 else 'are'} "
            f"damaged: {wrong[0]}",
            why=why,
            do=f"`ptyrun verify --repair {_where(run)}`, complete it with `ptyrun run` and "
            "`ptyrun finalize`, then give this command again",
        )


def _where(run: Run) -> str:
    return shlex.quote(str(run.folder))
