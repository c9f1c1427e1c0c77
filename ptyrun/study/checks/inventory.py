"""Does the inventory name exactly the files of the hub, and are these whole?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

from ptyrun.errors import PtyrunError
from ptyrun.study import analysis
from ptyrun.study.checks.evidence import Evidence
from ptyrun.study.checks.runs import run_faults
from ptyrun.study.checks.verdict import fault_of
from ptyrun.study.checks.wholeness import damage
from ptyrun.study.files import Found, is_note_of_a_look
from ptyrun.study.hub import LOGS, PHASE_C
from ptyrun.study.summaries.inventory import unlistable


def inventory_faults(evidence: Evidence) -> Iterator[str]:
    """Say which lines are wrong, which files are missing, unlisted, damaged or no files."""
    if evidence.parameters_fault:
        yield evidence.parameters_fault
    if isinstance(evidence.listing, str):
        yield evidence.listing
        return
    there = {each.name: each for each in evidence.listing}
    yield from (said for name, said in evidence.changes.items() if not _is_of_others(name))
    for name, said in run_faults(evidence.files, evidence.names):
        if not _is_of_others(name):
            yield f"{name}: {said}"
    yield from _listing_faults(evidence, there)
    for name, each in there.items():
        if each.kind:
            yield f"{name} is {each.kind}, not a file"
        elif said := unlistable(name):
            yield f"{name!r:.80}: {said}"
        elif said := _damage(evidence, name):
            yield f"{name} {said}"


# What the other checks are about.
_OF_OTHERS = frozenset(
    value for name, value in vars(analysis).items() if name.isupper() and "." in str(value)
)


def _damage(evidence: Evidence, name: str) -> str:
    """Damage of a file that no other check is about."""
    return "" if _is_of_others(name) else damage(evidence.files, name)


def _is_of_others(name: str) -> bool:
    last = name.rpartition("/")[2]
    of_comparison = last in (analysis.METRICS_CSV, analysis.COMPARISON_LOG)
    return name in _OF_OTHERS or of_comparison or name.startswith((f"{LOGS}/", f"{PHASE_C}/"))


def _listing_faults(evidence: Evidence, there: dict[str, Found]) -> Iterator[str]:
    try:
        text = evidence.files.text(analysis.INVENTORY)
    except PtyrunError as error:
        yield fault_of(error)
        return
    lines = text.split("\n")
    if lines.pop():
        yield "its last line is cut off"
    for number, line in enumerate(lines, 1):
        if said := line_fault(line):
            yield f"line {number} {said}: {line!r:.80}"
        elif line not in there:
            yield f"{line} is missing"
    if lines != sorted(lines):
        yield "its lines are not sorted"
    for line, count in Counter(lines).items():
        if count > 1:
            yield f"{line!r:.80} stands there {count} times"
    for name in sorted(set(there) - {*lines, analysis.INVENTORY}):
        if is_note_of_a_look(name):
            continue
        yield f"{name!r:.120} is in the hub, but not in the inventory"


MAX_PARTS = 100


def line_fault(line: str) -> str:
    """Say why a line cannot name a file of the hub; empty if it can."""
    path = PurePosixPath(line)
    if not line.strip():
        return "is empty"
    if not line.isprintable():
        return "has characters that cannot be shown"
    if "\\" in line:
        return "has backslashes"
    if PureWindowsPath(line).drive or path.is_absolute():
        return "is not relative to the hub"
    if not path.parts or ".." in path.parts or str(path) != line:
        return "is not a plain path"
    if len(path.parts) > MAX_PARTS:
        return f"lies in more than {MAX_PARTS} folders"
    return ""
