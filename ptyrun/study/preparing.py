"""How do simulated frames become the two halves that networks train and are tested on?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.geometry.splitting import split_point, split_positions
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.simulation.exposure import FarField
from ptyrun.study.canonical import canonical, transformation
from ptyrun.study.contract import check_file
from ptyrun.study.history import MEMBER, History, Transformation
from ptyrun.study.npz_writer import write_npz
from ptyrun.study.selection import select_frames, split_step
from ptyrun.study.simulating import STAMP
from ptyrun.study.task import Task

Arrays = dict[str, NDArray[Any]]


def read_arrays(path: Path) -> tuple[Arrays, History]:
    """Read a scan file's arrays, large ones as they are used, and its history.

    Raises
    ------
    InputError
        If it cannot be read, or its history is none.
    """
    file = NpzFile(path)
    try:
        history = History.of(file)
    except ValueError as error:
        raise InputError(
            f"the history in {path} cannot be read", why=str(error), do="repair its `_metadata`"
        ) from error
    return {name: file.mapped(name) for name in file.names if name != MEMBER}, history


def canonicalise(task: Task) -> None:
    """Make ``canonical.npz``: the present names, and amplitudes."""
    arrays, history = read_arrays(_only_input(task))
    arrays, done = canonical(arrays)
    _write(task.outputs()[0], arrays, history.with_step(transformation(done, STAMP)))


def patch(task: Task) -> None:
    """Make ``patched.npz``: one patch of the object beside the frames, as upstream's readers ask.

    Upstream takes a frame at random; here it is the first.
    """
    arrays, history = read_arrays(_only_input(task))
    far_field = FarField(np.asarray(arrays["objectGuess"]), np.asarray(arrays["probeGuess"]))
    y, x = float(arrays["ycoords"][0]), float(arrays["xcoords"][0])
    truth = far_field.patch(np.array([y, x])).astype(np.complex64)
    arrays["Y"] = truth[None, :, :, None]
    arrays["coords_start_offsets"] = np.array([x, y]).reshape(1, 1, 2, 1)
    arrays["coords_start_relative"] = np.zeros((1, 1, 2, 1))
    side = far_field.patch_px
    parameters = {"patch_size": side, "k_neighbors": 7, "nsamples": 1}
    step = Transformation("generate_patches", STAMP, "generate_patches", parameters)
    _write(task.outputs()[0], arrays, history.with_step(step))


def split(task: Task) -> None:
    """Make ``patched_train.npz`` and ``patched_test.npz``, and check the data contract of both."""
    arrays, history = read_arrays(_only_input(task))
    fraction, y = float(task.value("fraction")), np.asarray(arrays["ycoords"])
    halves = split_positions(y, fraction)
    step = split_step(
        fraction=fraction,
        axis="y",
        parent_file=_only_input(task).name,
        point=split_point(y, fraction),
        n_train=len(halves.train),
        n_test=len(halves.test),
        timestamp=STAMP,
    )
    for kept, path in zip(halves, task.outputs(), strict=True):
        _write(path, select_frames(arrays, kept, len(y)), history.with_step(step))
        check_file(path)


def _only_input(task: Task) -> Path:
    (only,) = task.stage.inputs
    return only.path


def _write(path: Path, arrays: Arrays, history: History) -> None:
    write_npz(path, {**arrays, MEMBER: history.as_member()})
