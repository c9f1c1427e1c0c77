"""How is a sweep written? A page, tables for programs and papers, and upstream's two tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ptyrun.errors import PtyrunError
from ptyrun.study import analysis
from ptyrun.study.files import HubFiles
from ptyrun.study.summaries.inventory import inventory
from ptyrun.study.summaries.summarize import Outcome, write_if_changed
from ptyrun.study.sweeps.generalization import ALL_TRIALS, FAILED, LOW, RESULTS, Trials
from ptyrun.study.sweeps.page import page
from ptyrun.study.sweeps.points import Axis, Sweep, sweeps_of
from ptyrun.study.sweeps.tables import csv_table, latex_table, point_table

FOLDER = "sweep"


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
        If there is no comparison, or a table cannot be read.
    StorageError
        If the disk refuses.
    """
    files = HubFiles.of(hub)
    written: list[str] = []
    unchanged: list[str] = []
    notes: list[str] = []
    for found in sweeps_of(files):
        for name, text in _contents(files, found, ms_ssim_phase_threshold, notes):
            (written if write_if_changed(files, name, text) else unchanged).append(name)
    if files.exists(analysis.INVENTORY):
        is_new = write_if_changed(files, analysis.INVENTORY, inventory(files))
        (written if is_new else unchanged).append(analysis.INVENTORY)
    return Outcome(tuple(written), tuple(unchanged), tuple(notes))


def _contents(
    files: HubFiles, found: Sweep, threshold: float, notes: list[str]
) -> Iterator[tuple[str, str]]:
    place = f"{found.place}/" if found.place else ""
    folder, stem = f"{place}{FOLDER}", str(found.axis)
    tables = {
        f"{stem}.csv": csv_table(found),
        f"{stem}_points.csv": point_table(found),
        f"{stem}.tex": latex_table(found),
    }
    for name, text in tables.items():
        yield f"{folder}/{name}", text
    if found.axis is Axis.SIZE:
        trials = Trials.of(found, threshold)
        for status, words in ((LOW, "lie below the threshold"), (FAILED, "have no phase PSNR")):
            if n := sum(row.status == status for row in trials.rows):
                notes.append(f"{n} of {len(trials.rows)} results of trials {words}")
        for name, made in ((RESULTS, trials.results), (ALL_TRIALS, trials.all_trials)):
            before = _text(files, f"{place}{name}")
            stamp = _stamp(before)
            yield f"{place}{name}", before if stamp and made(stamp) == before else made(_now())
    yield f"{folder}/{stem}.html", page(files, found, folder, [*tables])


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
