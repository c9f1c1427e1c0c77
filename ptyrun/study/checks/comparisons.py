"""Are the comparisons all there, did they end well, and do their metrics add up as is said?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ptyrun.errors import PtyrunError
from ptyrun.study import analysis
from ptyrun.study.checks.commands import command_faults
from ptyrun.study.checks.evidence import Evidence, as_upstream, is_listed
from ptyrun.study.checks.verdict import fault_of, first_difference
from ptyrun.study.summaries.manifest import Manifest
from ptyrun.study.summaries.summary import Summary
from ptyrun.study.summaries.tables import dose_text

COMPLIANCE = "phase_c_metadata_compliance"


def manifest_faults(evidence: Evidence) -> Iterator[str]:
    """Say what is wrong with the manifest, and with the text beside it."""
    manifest = evidence.manifest
    if isinstance(manifest, str):
        yield manifest
    else:
        yield from _count_faults(manifest)
        yield from _key_faults(evidence, manifest)
        document = evidence.files.json(analysis.MANIFEST)
        yield from _path_faults(document)
        yield from command_faults(evidence.files, manifest, document)
    yield from _text_faults(evidence)
    yield from evidence.changes_of(analysis.MANIFEST, analysis.MANIFEST_TEXT)


def summary_faults(evidence: Evidence) -> Iterator[str]:
    """Say what is wrong with ``metrics_summary.json`` and the tables that it is made of."""
    tables = [job for job in evidence.jobs.values() if isinstance(job, str)]
    yield from tables
    yield from evidence.changes_of(f"/{analysis.METRICS_CSV}")
    if not evidence.jobs:
        yield "no comparison has a table of metrics"
    if isinstance(evidence.stored, str):
        yield evidence.stored
        return
    document = _without_compliance(evidence.files.json(analysis.SUMMARY))
    wanted = _wanted(evidence, evidence.stored)
    differences = [first_difference(document, each) for each in wanted]
    if all(differences):
        source = "its own jobs" if evidence.collected is None else "the tables of the comparisons"
        yield f"{analysis.SUMMARY} does not follow from {source}: {differences[0]}"


def _wanted(evidence: Evidence, stored: Summary) -> list[dict[str, Any]]:
    collected = evidence.collected
    sources = [stored] if collected is None else [collected, as_upstream(collected)]
    return [_without_compliance(each.to_json()) for each in sources]


def _without_compliance(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != COMPLIANCE}


def _count_faults(manifest: Manifest) -> Iterator[str]:
    found = {
        "n_jobs": (manifest.n_jobs, len(manifest.executions)),
        "n_success": (manifest.n_success, len(manifest.succeeded)),
        "n_failed": (manifest.n_failed, len(manifest.failed)),
    }
    for name, (said, counted) in found.items():
        if said != counted:
            yield f"{name} is {said}, but execution_results have {counted}"
    if not manifest.executions:
        yield "it lists no comparison"
    for each in manifest.failed:
        yield f"{each.key} failed with return code {each.returncode}"
    if manifest.n_failed and not manifest.failed:
        yield f"it says that {manifest.n_failed} comparisons failed"


def _key_faults(evidence: Evidence, manifest: Manifest) -> Iterator[str]:
    executed = [each.key for each in manifest.executions]
    if [*manifest.jobs] != executed:
        yield f"jobs and execution_results are not the same {len(executed)} comparisons in order"
    if len(set(executed)) < len(executed):
        yield "a comparison is listed twice"
    known = tuple(dict.fromkeys((*executed, *evidence.uncounted)))
    expected = evidence.parameters.expected(known)
    for key in dict.fromkeys((*expected, *(() if evidence.is_scoped else known))):
        if key not in executed:
            has_results = key in evidence.uncounted
            yield f"{key} is {'not listed, but has results' if has_results else 'missing'}"


def _path_faults(document: Mapping[str, Any]) -> Iterator[str]:
    for each in (*document["jobs"], *document["execution_results"]):
        for name, value in each.items():
            is_path = isinstance(value, str) and ("/" in value or "\\" in value)
            if is_path and ".." in PurePosixPath(value.replace("\\", "/")).parts:
                yield f"{name} of a comparison leads elsewhere: {value!r:.80}"
        log = each.get("log_path")
        if isinstance(log, str) and (PurePosixPath(log).is_absolute() or "\\" in log):
            yield f"a log_path is not relative to {analysis.FOLDER}/: {log!r:.80}"


def _text_faults(evidence: Evidence) -> Iterator[str]:
    """``comparison_summary.txt`` repeats the manifest; it may be missing where none is listed."""
    name, files = analysis.MANIFEST_TEXT, evidence.files
    if not files.exists(name) and not is_listed(files, name):
        return
    try:
        words = files.text(name).split()
    except PtyrunError as error:
        yield fault_of(error)
        return
    manifest = evidence.manifest
    if isinstance(manifest, Manifest) and words != _text_words(manifest):
        yield f"{name} does not repeat the manifest"


def _text_words(manifest: Manifest) -> list[str]:
    dose, view, split = (manifest.filters.get(name) for name in ("dose", "view", "split"))
    lines = ["Phase G Comparison Jobs Summary", "=" * 50, f"Total jobs: {len(manifest.jobs)}"]
    lines += [f"Filters: dose={dose}, view={view}, split={split}", "Job Enumeration:"]
    for number, key in enumerate(manifest.jobs, 1):
        place = f"dose={dose_text(key.dose)} view={key.view} split={key.split}"
        lines.append(f"{number}. {place}")
    return " ".join(lines).split()
