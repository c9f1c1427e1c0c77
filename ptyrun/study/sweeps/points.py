"""What was measured at each dose, or at each training size and in each trial?

Comparisons are found by their folders: those of a hub, and the three layouts that studies of the
training size have: ``train_512/trial_1`` (or ``train_512`` alone), ``train_groups_512/trial_1``,
``train_subsample_512_groups_512/trial_1``. ptyrun's own have the
comparison in a folder ``comparison`` there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ptyrun.errors import InputError
from ptyrun.results import Interval
from ptyrun.study.analysis import FOLDER, METRICS_CSV
from ptyrun.study.files import HubFiles
from ptyrun.study.hub import GENERALIZATION
from ptyrun.study.summaries.certainty import intervals_of
from ptyrun.study.summaries.rows import Row, read_csv

DEBUG, COMPARISON = "debug", "comparison"
_DOSE = re.compile(r"dose_(\d{1,15})")
_SIZE = re.compile(r"train_(?:(?:subsample_(?P<kept>\d{1,9})_)?groups_)?(?P<size>\d{1,9})")
_TRIAL = re.compile(r"trial_(\d{1,9})")


class Axis(StrEnum):
    """Along what a metric is followed."""

    DOSE = "dose"
    SIZE = "train_size"

    @property
    def label(self) -> str:
        """As axes and tables call it."""
        return "photons per frame" if self is Axis.DOSE else "training size"


@dataclass(frozen=True)
class Point:
    """One comparison: where it stands on the axis, and the rows of its table.

    ``view`` and ``split`` are empty where there are none; ``folder`` lies below the hub.
    ``intervals`` say between which values a figure lies, by model and by metric and component.
    """

    at: int
    trial: int
    view: str
    split: str
    rows: tuple[Row, ...]
    folder: str
    intervals: Mapping[tuple[str, str], Interval] = field(default_factory=dict)

    @property
    def case(self) -> str:
        """View and split in words."""
        return ", ".join(part for part in (self.view, self.split) if part)


@dataclass(frozen=True)
class Sweep:
    """All comparisons along one axis; ``place`` is the folder that they lie in."""

    axis: Axis
    place: str
    points: tuple[Point, ...]

    @property
    def values(self) -> tuple[int, ...]:
        """Where there are comparisons, ascending."""
        return tuple(sorted({point.at for point in self.points}))

    @property
    def trials(self) -> dict[int, tuple[int, ...]]:
        """Which trials there are of each training size, both ascending."""
        found: dict[int, list[int]] = {at: [] for at in self.values}
        for point in self.points:
            found[point.at].append(point.trial)
        return {at: tuple(sorted(trials)) for at, trials in found.items()}


def sweeps_of(files: HubFiles) -> tuple[Sweep, ...]:
    """Find every sweep of a folder.

    Raises
    ------
    InputError
        If there is none, a table cannot be read, or two folders say the same size and trial.
    """
    found = [Sweep(Axis.DOSE, FOLDER, tuple(_of_hub(files)))]
    doses = [each for each in files.folders(GENERALIZATION) if _DOSE.fullmatch(each)]
    for place in ("", GENERALIZATION, *(f"{GENERALIZATION}/{dose}" for dose in doses)):
        found.append(Sweep(Axis.SIZE, place, tuple(of_sizes(files, place))))
    sweeps = tuple(each for each in found if each.points)
    if not sweeps:
        raise InputError(
            f"{files.root} holds no comparison to follow",
            why=f"there is no {FOLDER}/dose_D/VIEW/SPLIT/{METRICS_CSV}, and no train_N/trial_K/"
            f"{METRICS_CSV} or train_groups_N or train_subsample_M_groups_N in its place",
            do="give the folder of a study whose comparisons have results",
        )
    return sweeps


def _of_hub(files: HubFiles) -> Iterator[Point]:
    for dose in files.folders(FOLDER):
        if not (match := _DOSE.fullmatch(dose)):
            continue
        for view in files.folders(f"{FOLDER}/{dose}"):
            for split in files.folders(f"{FOLDER}/{dose}/{view}"):
                folder = f"{FOLDER}/{dose}/{view}/{split}"
                if DEBUG not in split and files.exists(f"{folder}/{METRICS_CSV}"):
                    known = _rows(files, folder), folder, intervals_of(files, folder)
                    yield Point(int(match[1]), 1, view, split, *known)


def of_sizes(files: HubFiles, place: str) -> Iterator[Point]:
    """Find the trials of a folder; raises as `sweeps_of`, but not if there are none."""
    seen: dict[tuple[int, int], str] = {}
    for name in files.folders(place):
        if not (match := _SIZE.fullmatch(name)):
            continue
        size, kept = int(match["size"]), match["kept"]
        view = f"subsample {kept}" if kept is not None and int(kept) != size else ""
        for trial, folder in _trials(files, f"{place}/{name}" if place else name):
            if (size, trial) in seen:
                raise InputError(
                    f"{folder} and {seen[size, trial]} are of the same training size and trial",
                    why="a mean over both would be one of two different trainings",
                    do="move one of them to a folder of its own",
                )
            seen[size, trial] = folder
            known = _rows(files, folder), folder, intervals_of(files, folder)
            yield Point(size, trial, view, "", *known)


def left_out(files: HubFiles, place: str) -> Iterator[str]:
    """Say which trials of a folder have no results, or results that are no trial's."""
    for name in files.folders(place):
        if not _SIZE.fullmatch(name):
            continue
        folder = f"{place}/{name}" if place else name
        numbered = _numbered(files, folder)
        for _, trial in numbered or [(1, folder)]:
            if _results(files, trial) is None:
                yield f"{trial} has no {METRICS_CSV}"
        if numbered and (beside := _results(files, folder)) is not None:
            yield f"{beside}/{METRICS_CSV} stands beside trials and does not count"


def _trials(files: HubFiles, folder: str) -> Iterator[tuple[int, str]]:
    """Give trials and their folders; a comparison without trials is the first."""
    for trial, place in _numbered(files, folder) or [(1, folder)]:
        if (inside := _results(files, place)) is not None:
            yield trial, inside


def _numbered(files: HubFiles, folder: str) -> list[tuple[int, str]]:
    return sorted(
        (int(match[1]), f"{folder}/{name}")
        for name in files.folders(folder)
        if (match := _TRIAL.fullmatch(name))
    )


def _results(files: HubFiles, place: str) -> str | None:
    """Give the folder that holds the table of a trial, if there is one."""
    places = (f"{place}/{COMPARISON}", place)
    return next((each for each in places if files.exists(f"{each}/{METRICS_CSV}")), None)


def _rows(files: HubFiles, folder: str) -> tuple[Row, ...]:
    name = f"{folder}/{METRICS_CSV}"
    try:
        if not (rows := read_csv(files.text(name))):
            raise ValueError("it has no row below its first line")
        return rows
    except ValueError as error:
        raise InputError(
            f"{name} is not a table of metrics",
            why=str(error),
            do="make the comparison again, or move its folder away",
        ) from error
