"""Do the summaries follow from the metrics of the comparisons?"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ptyrun.errors import PtyrunError
from ptyrun.study import analysis
from ptyrun.study.checks.evidence import Evidence, is_listed
from ptyrun.study.checks.verdict import fault_of, first_difference, first_other_line
from ptyrun.study.summaries.certainty import certainty_table
from ptyrun.study.summaries.comparisons import is_time, now, tomorrow

# Of ptyrun's own: upstream's hubs have none.
OWN_TABLES = (
    analysis.JOB_TABLE,
    analysis.MEAN_TABLE,
    analysis.DELTA_TABLE,
    analysis.LATEX_TABLE,
)

SECTION, SANITY = "\n## ", "MS-SSIM Sanity Check"


def markdown_faults(evidence: Evidence) -> Iterator[str]:
    """``metrics_summary.md``, and ptyrun's own tables where there are any."""
    yield from evidence.faults_of_text(analysis.SUMMARY_TEXT)
    for name in OWN_TABLES:
        if evidence.files.exists(name) or is_listed(evidence.files, name):
            yield from evidence.faults_of_text(name)
    yield from _certainty_faults(evidence)


def _certainty_faults(evidence: Evidence) -> Iterator[str]:
    """``study_certainty.csv`` follows from the results of the comparisons that have some."""
    name, files = analysis.CERTAINTY_TABLE, evidence.files
    if not files.exists(name) and not is_listed(files, name):
        return
    try:
        text = files.text(name)
    except PtyrunError as error:
        yield fault_of(error)
        return
    wanted = certainty_table(files, [*evidence.keys, *evidence.uncounted])
    if text != wanted:
        yield f"{name} does not follow from the results: {first_other_line(text, wanted or '')}"


def aggregate_faults(evidence: Evidence) -> Iterator[str]:
    """``aggregate_highlights.txt`` and ``aggregate_report.md``."""
    for name in (analysis.HIGHLIGHTS, analysis.REPORT):
        yield from evidence.faults_of_text(name)


def digest_faults(evidence: Evidence) -> Iterator[str]:
    """``metrics_digest.md``; upstream's last version has a table more in it."""
    faults = tuple(evidence.faults_of_text(analysis.DIGEST))
    try:
        text = evidence.files.text(analysis.DIGEST)
    except PtyrunError:
        text = ""
    first, *sections = text.split(SECTION)
    sanity = [each for each in sections if each.startswith(SANITY)]
    others = SECTION.join([first, *(each for each in sections if each not in sanity)])
    if len(sanity) != 1 or others not in evidence.wanted(analysis.DIGEST):
        yield from faults
        return
    known = {line for report in evidence.wanted(analysis.REPORT) for line in report.splitlines()}
    for line in sanity[0].splitlines():
        if line.startswith("| ") and line not in known:
            yield f"{analysis.DIGEST} does not follow from the metrics: {line!r:.80}"


def delta_faults(evidence: Evidence) -> Iterator[str]:
    """``metrics_delta_summary.json``: its time, its source, and every difference."""
    try:
        document = evidence.files.json(analysis.DELTAS)
    except PtyrunError as error:
        yield fault_of(error)
        return
    stamp = document.pop("generated_at", None)
    if not is_time(stamp) or str(stamp) > tomorrow():
        yield f"generated_at is {stamp!r:.60}, not a time until now such as {now()}"
    wanted = [json.loads(text) for text in evidence.wanted(analysis.DELTAS)]
    for each in wanted:
        del each["generated_at"]
    differences = [first_difference(document, each) for each in wanted]
    if not wanted:
        yield f"{analysis.DELTAS} cannot be compared: no metrics of the comparisons can be read"
    elif all(differences):
        yield f"{analysis.DELTAS} does not follow from the metrics: {differences[0]}"
    if not evidence.files.exists(analysis.SUMMARY):
        yield f"its source {analysis.SUMMARY} is missing"


def delta_text_faults(evidence: Evidence) -> Iterator[str]:
    """The highlights of the differences, their preview of phases alone, and the grid."""
    for name in (analysis.DELTA_HIGHLIGHTS, analysis.PREVIEW, analysis.GRID):
        yield from evidence.faults_of_text(name)
