"""Do ready files hold what they stand in for? Scans, networks and reconstructions, by content."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ptyrun.errors import InputError, PtyrunError
from ptyrun.host import durable, partials
from ptyrun.host.regular import open_regular
from ptyrun.models.cards import inspect
from ptyrun.models.files import CARD_NAME, locate
from ptyrun.models.kinds import SUFFIXES
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.study.contract import check_file
from ptyrun.study.hub import PHASE_E, PHASE_F
from ptyrun.study.task import Task

_SCANS = ("split", "overlap")
_RECONSTRUCTIONS = (".npz", ".h5", ".hdf5", ".cxi")


def take_ready(task: Task) -> None:
    """Copy ready files into the place of a stage's outputs, when they hold what belongs there.

    Raises
    ------
    InputError
        If a scan breaks the data contract, a network cannot be read, or a file holds no
        reconstruction; nothing is in place then.
    """
    sources = [each.path.resolve() for each in task.stage.inputs]
    names = task.stage.outputs
    _require_networks(sources, names)
    _require_reconstructions(sources, names)
    is_scan = task.value("stands for") in _SCANS
    for source, place in zip(sources, task.outputs(), strict=True):
        if os.path.realpath(source) != os.path.realpath(place):
            _copy(source, place, is_scan=is_scan)
        elif is_scan and place.suffix == ".npz":
            check_file(place)


def _copy(source: Path, place: Path, *, is_scan: bool) -> None:
    partial = partials.name(place)
    with durable.storage_errors(place):
        with open_regular(source) as stream, partial.open("xb") as copy:
            shutil.copyfileobj(stream, copy, 16 << 20)
            copy.flush()
        durable.sync_file(partial)
    if is_scan and place.suffix == ".npz":
        try:
            check_file(partial)
        except InputError as error:
            partial.unlink()
            raise _refusal(source, place.name, error) from error
    durable.publish(partial, place)
    durable.fsync_folder(place.parent)


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
