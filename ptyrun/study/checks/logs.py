"""Did every stage of a study say that it was completed?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ptyrun.errors import PtyrunError
from ptyrun.study import analysis
from ptyrun.study.checks.evidence import Evidence
from ptyrun.study.checks.verdict import fault_of
from ptyrun.study.hub import LOGS, RECORD, STUDY, is_record
from ptyrun.study.summaries.manifest import Execution, Key, Manifest
from ptyrun.study.summaries.tables import dose_text

DRIVER = "run_phase_g_dense.log"
HELPERS = ("aggregate_report_cli.log", "metrics_digest_cli.log", "ssim_grid_cli.log")
COMPLETE = re.compile(r"\bcompleted?\b", re.IGNORECASE)
BANNER = re.compile(r"^\[(\d{1,4})/(\d{1,4})\]", re.MULTILINE)
SECTIONS = ("=== STDOUT ===", "=== STDERR ===")
RETURN_CODE = re.compile(r"^Return code: (-?\d{1,9})$", re.MULTILINE)


def log_faults(evidence: Evidence) -> Iterator[str]:
    """Say which logs are missing, or do not end as those of a completed stage do."""
    listed = _listed(evidence)
    there = _there(evidence)
    keys = evidence.parameters.expected(evidence.keys)
    stages = stage_logs(evidence)
    needed = required(keys) if stages is None else ((name,) for name in stages)
    missing = {names[0] for names in needed if there.isdisjoint(names)}
    for name in sorted(missing | (listed - there)):
        yield f"{LOGS}/{name} is missing"
    for name in sorted(there):
        try:
            text = evidence.files.text(f"{LOGS}/{name}")
        except PtyrunError as error:
            yield fault_of(error)
            continue
        if said := incompleteness(name, text, is_stage=name in (stages or ())):
            yield f"{LOGS}/{name} {said}"
    yield from evidence.changes_of(f"{LOGS}/", f"/{analysis.COMPARISON_LOG}")
    for each in _executions(evidence):
        yield from _comparison_faults(evidence, each)


def required(keys: tuple[Key, ...]) -> Iterator[tuple[str, ...]]:
    """The logs that comparisons need, each with its older name if it has one."""
    yield (DRIVER,)
    yield from ((name,) for name in HELPERS)
    yield ("phase_c_generation.log",)
    for dose in sorted({key.dose for key in keys}):
        yield (f"phase_e_baseline_gs1_dose{dose_text(dose)}.log", "phase_e_baseline.log")
    for dose, view in sorted({(key.dose, key.view) for key in keys}):
        yield (f"phase_e_{view}_gs2_dose{dose_text(dose)}.log", f"phase_e_{view}.log")
    for view in sorted({key.view for key in keys}):
        yield (f"phase_d_{view}.log",)
    for view, split in sorted({(key.view, key.split) for key in keys}):
        for phase in "fg":
            yield (f"phase_{phase}_{view}_{split}.log", f"phase_{phase}_{split}.log")


def stage_logs(evidence: Evidence) -> frozenset[str] | None:
    """The logs of the stages that ptyrun made; None if the hub is upstream's."""
    if not evidence.files.exists(STUDY):
        return None
    records = (name.rpartition("/")[2] for name in evidence.names if is_record(name))
    return frozenset(f"{name.removesuffix(RECORD)}.log" for name in records)


def incompleteness(name: str, text: str, *, is_stage: bool = False) -> str:
    """Say what a log lacks of a completed stage's; empty if it lacks nothing."""
    if not text.strip():
        return "is empty"
    if not text.endswith("\n"):
        return "is cut off in its last line"
    if name == DRIVER:
        numbers = [(int(one), int(of)) for one, of in BANNER.findall(text)]
        n_phases = max((of for _, of in numbers), default=0)
        if missing := sorted(set(range(1, n_phases + 1)) - {one for one, _ in numbers}):
            return f"lacks the banner of phase {missing[0]} of {n_phases}"
        if not n_phases:
            return "lacks the banners of its phases"
        return "" if "SUCCESS" in text else "does not say SUCCESS"
    if (is_stage or name.startswith("phase_")) and not COMPLETE.search(text):
        return "does not say that its stage is complete"
    return ""


def _comparison_faults(evidence: Evidence, each: Execution) -> Iterator[str]:
    name = f"{analysis.FOLDER}/{each.log_path}"
    try:
        text = evidence.files.text(name)
    except PtyrunError as error:
        yield fault_of(error)
        return
    head = text.partition(SECTIONS[0])[0]
    codes = RETURN_CODE.findall(head)
    if not head.startswith("Command: "):
        yield f"{name} does not begin with its command"
    if not codes:
        yield f"{name} does not tell the return code"
    elif codes != [str(each.returncode)]:
        yield f"{name} tells return code {' and '.join(codes)}, the manifest {each.returncode}"
    elif head.count("Command: ") > 1 or not RETURN_CODE.match(head.rstrip().rpartition("\n")[2]):
        yield f"{name} holds more than one command and its return code"
    for section in SECTIONS:
        if section not in text:
            yield f"{name} is cut off: it has no {section}"
            return
    if not text.endswith("\n"):
        yield f"{name} is cut off in its last line"
    if text.index(SECTIONS[0]) > text.rindex(SECTIONS[1]):
        yield f"{name} is out of order: {SECTIONS[1]} comes first"


def _executions(evidence: Evidence) -> tuple[Execution, ...]:
    if isinstance(evidence.manifest, Manifest) and evidence.manifest.executions:
        return evidence.manifest.executions
    return tuple(
        Execution(key, 0, f"{key.folder.partition('/')[2]}/{analysis.COMPARISON_LOG}")
        for key in evidence.keys
    )


def _listed(evidence: Evidence) -> set[str]:
    """Logs that the inventory names."""
    try:
        lines = evidence.files.text(analysis.INVENTORY).splitlines()
    except PtyrunError:
        return set()
    names = (line.removeprefix(f"{LOGS}/") for line in lines if _is_log(line))
    return {name for name in names if "/" not in name}


def _there(evidence: Evidence) -> set[str]:
    """Logs that are there, whatever they are."""
    found = () if isinstance(evidence.listing, str) else evidence.listing
    return {each.name.removeprefix(f"{LOGS}/") for each in found if _is_log(each.name)}


def _is_log(name: str) -> bool:
    return name.startswith(f"{LOGS}/") and name.endswith(".log") and name.count("/") == 1
