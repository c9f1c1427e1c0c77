"""Are the comparisons that ptyrun made still as they were left, down to their chunks?"""

from __future__ import annotations

from collections.abc import Iterator

from ptyrun.engine.integrity import HARMLESS, Kind
from ptyrun.errors import NewerError, PtyrunError
from ptyrun.host import checksums
from ptyrun.stages.verify import verify
from ptyrun.study import run_notes
from ptyrun.study.files import HubFiles, is_working_file
from ptyrun.study.hub import ANALYSIS, GENERALIZATION

# What a hub may do without, and inputs, which its records speak of: the hub may have moved.
_LEFT_OUT = {*HARMLESS, Kind.INPUT}


def run_faults(files: HubFiles, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Say what of each finished run in the hub is not as it was written, with the file's name.

    Parameters
    ----------
    files : HubFiles
    names : tuple of str
        The hub's regular files.

    Raises
    ------
    NewerError
        If a newer ptyrun wrote a document of one.
    """
    there = set(names)
    for name in names:
        folder, _, last = name.rpartition("/")
        is_of_comparison = folder.startswith((f"{ANALYSIS}/", f"{GENERALIZATION}/"))
        if last != checksums.NAME or not is_of_comparison:
            continue
        if f"{folder}/manifest.json" not in there:
            place = files.path(folder)
            yield from ((f"{folder}/{n}", why) for n, why in checksums.problems(place))
            continue
        try:
            verdict = verify(files.path(folder))
        except NewerError:
            raise
        except PtyrunError as error:
            yield name, f"{error.what}: {error.why}"
            continue
        if verdict.newer:
            raise verdict.newer[0]
        for damage in verdict.damages:
            harmed = f"{folder}/{damage.path}"
            if damage.kind not in _LEFT_OUT and not is_working_file(harmed):
                yield harmed, damage.detail
        if left := run_notes.missing_chunks(files.path(folder)):
            yield f"{folder}/ledger", f"the comparison is not complete: it has {left}"
