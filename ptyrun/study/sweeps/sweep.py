"""How is a sweep written? A page, tables for programs and papers, and upstream's two tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ptyrun.errors import PtyrunError, UsageError
from ptyrun.study import analysis
from ptyrun.study.files import HubFiles
from ptyrun.study.summaries.inventory import inventory
from ptyrun.study.summaries.summarize import Outcome, write_if_changed
from ptyrun.study.sweeps.generalization import FAILED, LOW, Trials
from ptyrun.study.sweeps.names import ALL_TRIALS, FOLDER, RESULTS, below, page_of, tables_of
from ptyrun.study.sweeps.page import page
from ptyrun.study.sweeps.points import Axis, Sweep, left_out, sweeps_of
from ptyrun.study.sweeps.tables import csv_table, latex_table, point_table


def sweep(hub: Path, ms_ssim_phase_threshold: float = 0.0) -> Outcome:
    """Write page and tables of every sweep of a folder: along the dose, and the training size.

    Parameters
    ----------
    hub : Path
        A hub, by ptyrun or by upstream, or the folder of a study of the training size.
    ms_ssim_phase_threshold : float
        Trials whose phase MS-SSIM lies below it do not count in ``results.csv``.

    Raises
    ------
    UsageError
        If there is no comparison, a table cannot be read, or the threshold is no such number.
    StorageError
        If the disk refuses.
    """
    if not 0 <= ms_ssim_phase_threshold <= 1:
        raise UsageError(
            f"invalid threshold of phase MS-SSIM: {ms_ssim_phase_threshold:g}",
            why="it must be between 0 and 1",
            do="give another one, such as 0.3",
        )
    files = HubFiles.of(hub)
    written: list[str] = []
    unchanged: list[str] = []
    notes: list[str] = []
    for found in sweeps_of(files):
        if found.axis is Axis.SIZE:
            notes += [*left_out(files, found.place), *_uneven(found)]
            notes += _notes(Trials.of(found, ms_ssim_phase_threshold))
        for name, text in contents(files, found, threshold=ms_ssim_phase_threshold):
            (written if write_if_changed(files, name, text) else unchanged).append(name)
    if files.exists(analysis.INVENTORY):
        is_new = write_if_changed(files, analysis.INVENTORY, inventory(files))
        (written if is_new else unchanged).append(analysis.INVENTORY)
    return Outcome(tuple(written), tuple(unchanged), tuple(notes))


def contents(
    files: HubFiles, found: Sweep, *, threshold: float = 0.0, stamp: str = ""
) -> Iterator[tuple[str, str]]:
    """Give every file of a sweep by its name below the hub, and its text.

    Parameters
    ----------
    files : HubFiles
    found : Sweep
    threshold : float
        See `Trials`.
    stamp : str
        What upstream's tables say as their time; by default the time of now, or that of the present
        table if it says the same.
    """
    folder, axis = below(found.place, FOLDER), str(found.axis)
    tables = tables_of(axis)
    for name, make in zip(tables, (csv_table, point_table, latex_table), strict=True):
        yield f"{folder}/{name}", make(found)
    if found.axis is Axis.SIZE:
        trials = Trials.of(found, threshold)
        for name, made in ((RESULTS, trials.results), (ALL_TRIALS, trials.all_trials)):
            place = below(found.place, name)
            before = "" if stamp else _text(files, place)
            said = _stamp(before)
            is_same = bool(said) and made(said) == before
            yield place, before if is_same else made(stamp or _now())
    yield f"{folder}/{page_of(axis)}", page(files, found, folder, tables)


def _uneven(found: Sweep) -> Iterator[str]:
    """Say so where one training size has other trials than another."""
    if len({*found.trials.values()}) > 1:
        said = (f"{at}: {', '.join(map(str, each))}" for at, each in found.trials.items())
        yield f"training sizes have different trials ({'; '.join(said)})"


def _notes(trials: Trials) -> Iterator[str]:
    for status, words in ((LOW, "lie below the threshold"), (FAILED, "have no phase PSNR")):
        if n := sum(row.status == status for row in trials.rows):
            yield f"{n} of {len(trials.rows)} results of trials {words}"


def _now() -> str:
    return datetime.now().isoformat()  # as upstream, in the time of the place


def _text(files: HubFiles, name: str) -> str:
    try:
        return files.text(name)
    except PtyrunError:
        return ""


def _stamp(text: str) -> str:
    """The time that a table names, wherever its column is; empty if it has none."""
    head, _, rest = text.partition("\n")
    names, first = head.split(","), rest.partition("\n")[0].split(",")
    at = names.index("generated_at") if "generated_at" in names else len(first)
    return first[at] if at < len(first) else ""
