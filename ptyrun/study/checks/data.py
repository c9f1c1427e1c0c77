"""Are the study's data files whole, and do they say that they were canonicalised?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ptyrun.errors import PtyrunError
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.study import analysis
from ptyrun.study.belonging import contradictions
from ptyrun.study.checks.comparisons import COMPLIANCE
from ptyrun.study.checks.evidence import Evidence
from ptyrun.study.checks.verdict import fault_of, first_difference
from ptyrun.study.checks.wholeness import damage
from ptyrun.study.history import History
from ptyrun.study.hub import PHASE_C
from ptyrun.study.summaries.comparisons import tomorrow
from ptyrun.study.summaries.compliance import Compliance, FileState


def data_faults(evidence: Evidence) -> Iterator[str]:
    """Say which data files are missing, damaged or not canonical, or are reported otherwise."""
    found = evidence.compliance
    if found.error:
        yield found.error
    splits = {key.split for key in evidence.parameters.expected(evidence.keys)}
    for dose, split, state in found.states():
        if not state.compliant and (split in splits or not splits):
            yield f"{dose}/{split}: {_said(state)}"
    doses = {key.folder.split("/")[1] for key in evidence.parameters.expected(evidence.keys)}
    for dose in sorted(doses - set(found.doses)):
        yield f"{PHASE_C}/{dose} is missing"
    yield from _damages(evidence)
    yield from _misplacements(evidence, found)
    yield from evidence.changes_of(f"{PHASE_C}/")
    yield from _told_faults(evidence, found)


def _said(state: FileState) -> str:
    if state.error:
        return f"{state.npz_path} cannot be read: {state.error}"
    missing = "canonical transformation" if state.has_metadata else "readable _metadata"
    return f"{state.npz_path} has no {missing}"


def _damages(evidence: Evidence) -> Iterator[str]:
    for name in evidence.names:
        if name.startswith(f"{PHASE_C}/") and (said := damage(evidence.files, name)):
            yield f"{name} {said}"


def _misplacements(evidence: Evidence, found: Compliance) -> Iterator[str]:
    """Which files say that they are of another dose or half, or of a time to come."""
    for dose, split, state in found.states():
        if not state.compliant:
            continue
        text = dose.removeprefix("dose_")
        photons = float(text) if text.isdecimal() else None
        try:
            file = NpzFile(evidence.files.path(state.npz_path))
            places = contradictions(file, dose=photons, split=split, is_whole=True)
            faults = [*places, *times_to_come(History.of(file))]
        except (PtyrunError, ValueError):
            continue  # what is damaged is said above
        yield from (f"{state.npz_path}: {said}" for said in faults)


def times_to_come(history: History) -> Iterator[str]:
    """Steps that were made later than the clock of any machine tells."""
    for step in history.steps:
        made_at = step.get("timestamp")
        if isinstance(made_at, str) and made_at > tomorrow():
            yield f"its step {step.get('tool')!r:.60} was made at {made_at!r:.40}"


def _told_faults(evidence: Evidence, found: Compliance) -> Iterator[str]:
    """Compare with what the summary says, whose wording of errors is its own."""
    try:
        told = evidence.files.json(analysis.SUMMARY).get(COMPLIANCE)
    except PtyrunError as error:
        yield f"the state of the data is recorded nowhere: {fault_of(error)}"
        return
    wanted = found.to_json()
    if found.error and isinstance(told, Mapping) and set(told) == {"error"}:
        return
    if said := first_difference(_facts(told), _facts(wanted), COMPLIANCE):
        yield f"{analysis.SUMMARY}: {said}"


def _facts(told: object) -> object:
    """The same without the words of errors."""
    if not isinstance(told, Mapping):
        return told
    return {name: _facts(value) for name, value in told.items() if name != "error"}
