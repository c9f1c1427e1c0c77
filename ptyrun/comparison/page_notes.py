"""What must a reader of a report know before the pictures, and what may wait until after them?"""

from __future__ import annotations

from collections.abc import Iterator

from ptyrun.config import Registration
from ptyrun.report.page import Statement
from ptyrun.results import Results
from ptyrun.shares import as_percent

AS_ASKED = tuple(each.why_not for each in Registration if each is not Registration.ALL)
# How notes begin that say of what a figure is, as standard metrics have them.
OF_FIGURES = ("standard ", "of the ", "FRC at ", "MS-SSIM ")


def warnings(results: Results) -> Iterator[Statement]:
    """Which arms do not belong to the scan, and why."""
    for arm in results.arms.values():
        if arm.mismatch:
            yield Statement(arm.label, arm.mismatch)


def notes(results: Results) -> Iterator[Statement]:
    """What changes what may be concluded."""
    if results.has_reference:
        text = (
            "Arms are measured against a reference: a reconstruction of the same frames, not the "
            "truth. Figures say how near an arm is to it, not how right it is."
        )
        yield Statement("", text)
    elif not results.has_ground_truth:
        text = "There is no ground truth: arms are compared with each other only."
        yield Statement("", text)
    if not results.are_comparable:
        least, most = results.covered_shares[0], results.covered_shares[-1]
        text = (
            f"The arms cover between {as_percent(least, 0)} and {as_percent(most, 0)} of the "
            "region. Each is measured where it is covered, so these are not the same pixels: no "
            "figure is marked as best."
        )
        yield Statement("", text)
    for note in results.doubts:
        yield Statement("", note)
    yield from arms(results, are_details=False)


def details(results: Results) -> Iterator[Statement]:
    """What is to be known of figures and changes no conclusion."""
    for note in results.notes:
        if note not in results.doubts:
            yield Statement("", note)
    yield from arms(results, are_details=True)
    for pair in results.pairs:
        if pair.notes:
            yield Statement(" – ".join(results.labels_of(pair)), "; ".join(pair.notes))


def arms(results: Results, *, are_details: bool) -> Iterator[Statement]:
    """Say what is to be known of each arm."""
    alike: dict[str, list[str]] = {}  # what is said of several arms is said once
    for arm in results.arms.values():
        said = [note for note in arm.notes if note.startswith(OF_FIGURES) is are_details]
        asked = [note for note in said if note in AS_ASKED]  # of most arms of a study
        others = [note for note in said if note not in AS_ASKED]
        for text in (*asked, "; ".join(others)):
            if text:
                alike.setdefault(text, []).append(arm.label)
    for text, labels in alike.items():
        yield Statement(", ".join(labels), text)
