"""Do ready files hold what they stand in for? Scans, networks and reconstructions, by content."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ptyrun.errors import InputError, PtyrunError
from ptyrun.host import durable, partials
from ptyrun.host.regular import open_regular, read_text
from ptyrun.host.typed_json import parse_object
from ptyrun.models.cards import inspect
from ptyrun.models.files import CARD_NAME, locate
from ptyrun.models.kinds import SUFFIXES
from ptyrun.ptycho.geometry.overlap import OverlapMetrics
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.study.analysis import METRICS_CSV
from ptyrun.study.belonging import contradictions
from ptyrun.study.canonical import FRAMES, OLD_FRAMES
from ptyrun.study.contract import REQUIRED, check_file
from ptyrun.study.hub import PHASE_E, PHASE_F
from ptyrun.study.summaries.rows import read_csv
from ptyrun.study.task import Task

MAX_TEXT_BYTES = 64 << 20
# Stages whose NPZ files later stages read as scans, and those that they read by name alone.
_SCANS = ("canonicalise", "patch", "split", "overlap")
_RAW = "simulate"
_FIGURES = {each.name for each in fields(OverlapMetrics)} - {"metric_1_group_based_avg"}
_RECONSTRUCTIONS = (".npz", ".h5", ".hdf5", ".cxi")


def take_ready(task: Task) -> None:
    """Copy ready files into the place of a stage's outputs, when they hold what belongs there.

    Raises
    ------
    InputError
        If a scan breaks the data contract or is of another dose or half, a network or a document
        cannot be read, or a file holds no reconstruction; nothing is in place then.
    """
    sources = [each.path.resolve() for each in task.stage.inputs]
    names = task.stage.outputs
    _require_networks(sources, names)
    _require_reconstructions(sources, names)
    copies = []
    try:
        for source, place in zip(sources, task.outputs(), strict=True):
            is_there = os.path.realpath(source) == os.path.realpath(place)
            held = place if is_there else partials.name(place)
            if not is_there:
                copies.append((held, place))
                _copy(source, held)
            try:
                _require_content(task, held, place)
            except PtyrunError as error:
                raise _refusal(source, place.name, error) from error
    except BaseException:
        for held, _ in copies:
            held.unlink(missing_ok=True)
        raise
    for held, place in copies:
        durable.publish(held, place)
        durable.fsync_folder(place.parent)


def _copy(source: Path, held: Path) -> None:
    with durable.storage_errors(held):
        with open_regular(source) as stream, held.open("xb") as copy:
            shutil.copyfileobj(stream, copy, 16 << 20)
            copy.flush()
        durable.sync_file(held)


def _require_content(task: Task, held: Path, place: Path) -> None:
    """See that a file holds what the stage would write under the name of *place*."""
    kind = task.stage.stands_for
    if place.suffix == ".json":
        document = _document(held)
        if kind == "overlap" and (missing := sorted(_FIGURES - document.keys())):
            raise _no_such("it holds no overlap metrics", f"it lacks {', '.join(missing)}")
    elif place.name == METRICS_CSV:
        try:
            read_csv(read_text(held, MAX_TEXT_BYTES))
        except ValueError as error:
            raise _no_such("it is not a table of metrics", str(error)) from error
    elif place.suffix == ".npz" and kind == _RAW:
        _require_raw(held)
    elif place.suffix == ".npz" and kind in _SCANS:
        check_file(held)
        _require_place(task, held, is_whole=kind == "split", split=place.stem.split("_")[-1])


def _document(held: Path) -> Mapping[str, Any]:
    try:
        return parse_object(read_text(held, MAX_TEXT_BYTES))
    except ValueError as error:
        raise _no_such("it is not a JSON document", str(error)) from error


def _require_raw(held: Path) -> None:
    names = NpzFile(held).names
    needed = [name for name in REQUIRED if name != FRAMES and name not in names]
    if FRAMES not in names and OLD_FRAMES not in names:
        needed.append(f"{FRAMES} or {OLD_FRAMES}")
    if needed:
        raise _no_such("it holds no frames of a scan", f"it lacks {', '.join(needed)}")


def _require_place(task: Task, held: Path, *, split: str, is_whole: bool) -> None:
    dose = task.stage.axes.get("dose")
    try:
        found = contradictions(
            NpzFile(held), dose=float(dose) if dose else None, split=split, is_whole=is_whole
        )
        said = next(found, "")
    except ValueError as error:
        said = f"its history cannot be read: {error}"
    if said:
        raise _no_such("it belongs elsewhere", said)


def _no_such(what: str, why: str) -> InputError:
    return InputError(what, why=why, do="name the right file, or leave the stage to ptyrun")


def _require_networks(sources: Sequence[Path], names: Sequence[str]) -> None:
    """See that networks can be read; a ``model.json`` among them says which file is the model."""
    given = [
        (source, name)
        for source, name in zip(sources, names, strict=True)
        if name.startswith(f"{PHASE_E}/") and (_is_card(name) or _suffix(name) in SUFFIXES)
    ]
    for source, name in [each for each in given if _is_card(each[1])] or given:
        try:
            inspect(locate(source))
        except PtyrunError as error:
            raise _refusal(source, _last(name), error) from error


def _require_reconstructions(sources: Sequence[Path], names: Sequence[str]) -> None:
    for source, name in zip(sources, names, strict=True):
        if name.startswith(f"{PHASE_F}/") and _suffix(name) in _RECONSTRUCTIONS:
            try:
                open_reconstruction(source)
            except PtyrunError as error:
                raise _refusal(source, _last(name), error) from error


def _is_card(name: str) -> bool:
    return _last(name) == CARD_NAME


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _refusal(source: Path, place: str, error: PtyrunError) -> InputError:
    return InputError(
        f"{source} cannot stand in for {place}", f"{error.what}: {error.why}", error.do
    )
