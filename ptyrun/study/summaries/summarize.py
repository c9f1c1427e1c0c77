"""How is a hub summed up? From its comparisons to all files of its analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ptyrun.errors import BlockedError, PtyrunError
from ptyrun.host import durable
from ptyrun.study import analysis
from ptyrun.study.files import HubFiles
from ptyrun.study.summaries import tables, texts
from ptyrun.study.summaries.certainty import certainty_table
from ptyrun.study.summaries.comparisons import (
    OWN,
    Deltas,
    comparisons,
    is_time,
    now,
    same_json,
)
from ptyrun.study.summaries.inventory import inventory
from ptyrun.study.summaries.manifest import Key, Manifest
from ptyrun.study.summaries.parameters import Parameters, remembered_or_default
from ptyrun.study.summaries.summary import Job, Summary

DEBUG = "_debug"


@dataclass(frozen=True)
class Outcome:
    """What was written (names below the hub), what was as it is already, and what to know."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    notes: tuple[str, ...]


def summarize(hub: Path, ms_ssim_threshold: float | None = None) -> Outcome:
    """Write all summaries of the hub's comparisons, and its inventory.

    Parameters
    ----------
    hub : Path
        Folder of a study, by ptyrun or by upstream.
    ms_ssim_threshold : float, optional
        Means below it are called low. Remembered in the hub (default: as remembered, or 0.8).

    Returns
    -------
    Outcome
        Which files were written, which were up to date, and notes.

    Raises
    ------
    UsageError
        If there is no such hub, its manifest or a table cannot be read, or the threshold is none.
    BlockedError
        If a comparison failed; nothing is written.
    StorageError
        If the disk refuses.
    """
    files = HubFiles.of(hub)
    parameters, fault = remembered_or_default(files)
    parameters = parameters.overridden(ms_ssim_threshold)
    manifest = Manifest.load(files)
    _require_success(manifest)
    summary = Summary.collected(files, manifest)
    left = tuple(Job.load(files, key) for key in uncounted(files, manifest.succeeded))
    made = contents(summary, left, parameters, _stamp(files, Deltas.of(summary)))
    parameters = _with_keys(parameters, (*summary.jobs, *left))
    made[analysis.PARAMETERS] = parameters.to_json()
    certainty = certainty_table(files, [job.key for job in (*summary.jobs, *left)])
    if certainty is not None:
        made[analysis.CERTAINTY_TABLE] = certainty
    notes = [*_notes(summary, left), *([fault] if fault else [])]
    written = [name for name, text in made.items() if write_if_changed(files, name, text)]
    made[analysis.INVENTORY] = inventory(files)
    if write_if_changed(files, analysis.INVENTORY, made[analysis.INVENTORY]):
        written.append(analysis.INVENTORY)
    unchanged = tuple(name for name in made if name not in written)
    return Outcome(tuple(written), unchanged, tuple(notes))


def contents(
    summary: Summary,
    uncounted: tuple[Job, ...],
    parameters: Parameters,
    generated_at: str,
    *,
    exact: bool = False,
) -> dict[str, str]:
    """Every summary by its name below the hub; for *exact* see `comparisons`."""
    threshold = parameters.ms_ssim_threshold
    deltas = Deltas.of(summary, exact=exact)
    return {
        analysis.SUMMARY: texts.summary_json(summary),
        analysis.SUMMARY_TEXT: texts.summary_markdown(summary),
        analysis.REPORT: texts.report_markdown(summary, threshold),
        analysis.HIGHLIGHTS: texts.highlights(summary, threshold),
        analysis.DIGEST: texts.digest_markdown(summary, threshold, exact=exact),
        analysis.DELTAS: texts.delta_json(deltas, generated_at),
        analysis.DELTA_HIGHLIGHTS: texts.delta_highlights(deltas),
        analysis.PREVIEW: texts.delta_preview(deltas),
        analysis.GRID: texts.grid_markdown(deltas),
        analysis.JOB_TABLE: tables.job_table(summary, uncounted),
        analysis.MEAN_TABLE: tables.mean_table(summary, uncounted),
        analysis.DELTA_TABLE: tables.delta_table(summary, uncounted),
        analysis.LATEX_TABLE: tables.latex_table(summary, uncounted),
    }


def uncounted(files: HubFiles, counted: tuple[Key, ...]) -> tuple[Key, ...]:
    """Find comparisons with results in the hub, other than *counted*; those of debug runs aside."""
    found = []
    for dose in files.folders(analysis.FOLDER):
        for view in files.folders(f"{analysis.FOLDER}/{dose}"):
            for split in files.folders(f"{analysis.FOLDER}/{dose}/{view}"):
                if DEBUG in split or (key := _key(dose, view, split)) is None:
                    continue
                if key not in counted and files.exists(key.metrics):
                    found.append(key)
    return tuple(sorted(found))


def _key(dose: str, view: str, split: str) -> Key | None:
    try:
        number = float(dose.removeprefix("dose_"))
        key = Key.of({"dose": number, "view": view, "split": split})
    except ValueError:
        return None
    return key if key.folder == f"{analysis.FOLDER}/{dose}/{view}/{split}" else None


def _require_success(manifest: Manifest) -> None:
    if failed := manifest.failed:
        said = "; ".join(f"{each.key}: return code {each.returncode}" for each in failed)
        logs = ", ".join(f"{analysis.FOLDER}/{each.log_path}" for each in failed if each.log_path)
        raise BlockedError(
            f"{len(failed)} of {len(manifest.executions)} comparisons failed",
            why=f"{said}{f' (see {logs})' if logs else ''}",
            do="repeat these comparisons, then summarize again",
        )


def _stamp(files: HubFiles, deltas: Deltas) -> str:
    """The time of now; that of the present file if it says the same."""
    try:
        document = files.json(analysis.DELTAS)
    except PtyrunError:
        return now()
    stamp = document.get("generated_at")
    if is_time(stamp) and same_json(document, deltas.to_json(str(stamp))):
        return str(stamp)
    return now()


def write_if_changed(files: HubFiles, name: str, text: str) -> bool:
    """Write a file if it does not hold just that text; tell whether it was."""
    path = files.path(name)
    try:
        if files.bytes(name) == text.encode():
            return False
    except PtyrunError:
        pass  # missing, or something else: it is replaced
    durable.make_folder(path.parent)
    durable.write_text(path, text)
    return True


def _with_keys(parameters: Parameters, jobs: tuple[Job, ...]) -> Parameters:
    keys = sorted(job.key for job in jobs)
    doses, views, splits = (
        tuple(dict.fromkeys(getattr(key, name) for key in keys))
        for name in ("dose", "view", "split")
    )
    if len(doses) * len(views) * len(splits) != len(keys):
        return replace(parameters, doses=(), views=(), splits=())
    return replace(parameters, doses=doses, views=views, splits=splits)


def _notes(summary: Summary, left: tuple[Job, ...]) -> list[str]:
    notes = [
        f"{job.key} is not in the manifest: its metrics are in the study's own tables, but not in "
        "the means of upstream's files"
        for job in left
    ]
    for model in summary.models:
        n_jobs = sum(model in job.models for job in summary.jobs)
        if n_jobs < summary.n_success:
            notes.append(f"{model} has metrics in {n_jobs} of {summary.n_success} comparisons")
    if OWN not in summary.models:
        notes.append(f"no comparison has {OWN}: there are no differences")
    notes += [
        f"no comparison has {each.label}: its differences are N/A"
        for each in comparisons(summary.models)
        if each.model is None
    ]
    return notes
