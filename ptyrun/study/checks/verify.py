"""Is a hub what it says? All ten checks, always ten, whatever is missing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptyrun.errors import NewerError
from ptyrun.study import analysis
from ptyrun.study.checks import comparisons, summaries
from ptyrun.study.checks.data import data_faults
from ptyrun.study.checks.evidence import Evidence
from ptyrun.study.checks.inventory import inventory_faults
from ptyrun.study.checks.logs import log_faults
from ptyrun.study.checks.newer import refuse_newer
from ptyrun.study.checks.verdict import Validation, Verdict
from ptyrun.study.files import HubFiles
from ptyrun.study.hub import LOGS, PHASE_C, RECORD, is_record
from ptyrun.study.summaries.parameters import remembered_or_default
from ptyrun.texts import printable


@dataclass(frozen=True)
class Check:
    """One check: what it is called here and by upstream, what it is about, and how it looks."""

    name: str
    description: str
    about: str
    path: str
    look: Callable[[Evidence], Iterator[str]]

    def __call__(self, evidence: Evidence) -> Validation:
        """Look, and say what is wrong; whatever a file does to the check is that, too.

        Raises
        ------
        NewerError
            If a newer ptyrun wrote what it looks at.
        """
        try:
            found = tuple(self.look(evidence))
        except NewerError:
            raise
        except Exception as error:
            found = (f"the check cannot be made: {type(error).__name__}: {error!s:.200}",)
        return Validation(
            self.name, self.description, self.path, tuple(map(printable, found)), about=self.about
        )


# With upstream's descriptions, which its tools look for, and what each check is about, in words.
CHECKS = (
    Check(
        "comparison_manifest",
        "Phase G comparison manifest",
        "every expected comparison is listed, with its data, models and options",
        analysis.MANIFEST,
        comparisons.manifest_faults,
    ),
    Check(
        "metrics_summary",
        "Phase G metrics summary JSON",
        "the summary's numbers are those of the comparisons",
        analysis.SUMMARY,
        comparisons.summary_faults,
    ),
    Check(
        "metrics_summary_markdown",
        "Phase G metrics summary Markdown",
        "the summary as Markdown repeats the summary",
        analysis.SUMMARY_TEXT,
        summaries.markdown_faults,
    ),
    Check(
        "aggregate_highlights",
        "Phase G aggregate highlights",
        "means and highlights follow from the summary",
        analysis.HIGHLIGHTS,
        summaries.aggregate_faults,
    ),
    Check(
        "metrics_digest",
        "Metrics digest",
        "the digest follows from the summary",
        analysis.DIGEST,
        summaries.digest_faults,
    ),
    Check(
        "phase_c_metadata",
        "Phase C metadata compliance",
        "both halves of each dose are there with their history, and no data file is damaged",
        PHASE_C,
        data_faults,
    ),
    Check(
        "delta_summary",
        "Metrics delta summary JSON",
        "the differences between arms follow from the summary",
        analysis.DELTAS,
        summaries.delta_faults,
    ),
    Check(
        "delta_highlights",
        "Metrics delta highlights",
        "the tables of differences repeat them",
        analysis.DELTA_HIGHLIGHTS,
        summaries.delta_text_faults,
    ),
    Check(
        "stage_logs",
        "CLI orchestrator logs validation",
        "the log of every stage says that it is complete",
        LOGS,
        log_faults,
    ),
    Check(
        "inventory",
        "Artifact inventory",
        "every file is listed, there and intact",
        analysis.INVENTORY,
        inventory_faults,
    ),
)


def verify(
    hub: Path,
    *,
    doses: tuple[float, ...] = (),
    views: tuple[str, ...] = (),
    splits: tuple[str, ...] = (),
    ms_ssim_threshold: float | None = None,
) -> Verdict:
    """Check a hub by its content; changes nothing.

    Parameters
    ----------
    hub : Path
        Folder of a study, by ptyrun or by upstream.
    doses, views, splits : tuple, optional
        Comparisons that must be there (default: as the hub remembers, or those it holds).
    ms_ssim_threshold : float, optional
        The one the reports were made with (default: as the hub remembers, or 0.8).

    Returns
    -------
    Verdict
        Each of the ten checks, passed or with its evidence.

    Raises
    ------
    UsageError
        If there is no such hub, or a parameter is outside its range.
    NewerError
        If a newer ptyrun wrote a document of the hub or of one of its comparisons.
    """
    files = HubFiles.of(hub)
    refuse_newer(files)
    parameters, fault = remembered_or_default(files)
    parameters = parameters.overridden(ms_ssim_threshold, doses, views, splits)
    evidence = Evidence(files, parameters, fault, bool(doses or views or splits))
    validations = tuple(check(evidence) for check in CHECKS)
    return Verdict(str(hub.absolute()), validations, _hint(files, validations))


def _hint(files: HubFiles, validations: tuple[Validation, ...]) -> str:
    """What to do about a hub that is not finished, or about what `study run` leaves as it is."""
    if not files.exists(analysis.MANIFEST):
        return (
            "the hub has no comparisons yet, and most checks are about them: "
            "make them with `ptyrun study run --upto comparisons`"
        )
    if not files.exists(analysis.SUMMARY):
        return "the hub has no summary of comparisons yet: make it with `ptyrun study summarize`"
    faults = {each.name: each.faults for each in validations}
    if damaged := _damaged_comparisons(files, faults["inventory"]):
        folder = shlex.quote(str(files.path(damaged[0])))
        return (
            f"{damaged[0]} is damaged: `ptyrun verify --repair {folder}` discards the damaged "
            "parts, deleting that folder all of it; then `ptyrun study run` makes it again"
        )
    if record := _record_of_a_lost_log(files, faults["stage_logs"]):
        return (
            f"only making a stage writes its log: delete {shlex.quote(str(files.path(record)))}, "
            "and `ptyrun study run` makes that stage again"
        )
    return ""


def _record_of_a_lost_log(files: HubFiles, faults: Sequence[str]) -> str:
    """Name the record of a stage of ptyrun's whose log is missing or is not what it was."""
    logs = {said.split(" ")[0] for said in faults}
    for each in files.all():
        stage = each.name.rpartition("/")[2].removesuffix(RECORD)
        if is_record(each.name) and f"{LOGS}/{stage}.log" in logs:
            return each.name
    return ""


def _damaged_comparisons(files: HubFiles, faults: Sequence[str]) -> list[str]:
    """Name the folders of the comparisons that a stage made and that are not whole."""
    names = [each.name for each in files.all()]
    folders = {name.rpartition("/")[0] for name in names if is_record(name)}
    runs = folders.intersection(
        name.rpartition("/")[0] for name in names if name.endswith("/manifest.json")
    )
    return sorted(run for run in runs if any(said.startswith(f"{run}/") for said in faults))
