"""How are the parts of a study of the training size made? Fewer frames, and what all trials say."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from ptyrun.errors import GeometryError
from ptyrun.host import durable
from ptyrun.study.analysis import METRICS_CSV
from ptyrun.study.files import HubFiles
from ptyrun.study.history import MEMBER, Transformation
from ptyrun.study.npz_writer import write_npz
from ptyrun.study.preparing import read_arrays
from ptyrun.study.selection import select_frames
from ptyrun.study.simulating import STAMP
from ptyrun.study.sweeps.points import COMPARISON, Axis, Sweep, of_sizes
from ptyrun.study.sweeps.sweep import contents
from ptyrun.study.task import Task


def subset(task: Task) -> None:
    """Make ``train.npz``: so many frames of the train half, drawn anew in each trial.

    In one trial, the frames of a smaller size are among those of a larger one.
    """
    (source,) = task.stage.inputs
    arrays, history = read_arrays(source.path)
    size, trial, seed = (int(task.value(name)) for name in ("size", "trial", "seed"))
    n_frames = len(arrays["xcoords"])
    if size > n_frames:
        raise GeometryError(
            f"{size} frames of the train half are asked for",
            why=f"it has {n_frames}",
            do="lower --generalization-sizes, or simulate more frames",
        )
    kept = np.sort(np.random.default_rng([seed, trial]).permutation(n_frames)[:size])
    said = {"size": size, "trial": trial, "seed": seed}
    step = Transformation("generalization", STAMP, "subsample", said)
    (output,) = task.outputs()
    member = history.with_step(step).as_member()
    write_npz(output, {**select_frames(arrays, kept, n_frames), MEMBER: member})


def aggregate(task: Task) -> None:
    """Make the tables and the page of all trials, and upstream's table beside each trial."""
    files, place = HubFiles.of(task.hub.root), str(task.value("place"))
    folders = [str(PurePosixPath(each.name).parent) for each in task.stage.inputs]
    points = tuple(point for point in of_sizes(files, place) if point.folder in folders)
    made = dict(contents(files, Sweep(Axis.SIZE, place, points), stamp=STAMP))
    for folder in folders:
        trial = folder.removesuffix(f"/{COMPARISON}")
        made[f"{trial}/{METRICS_CSV}"] = files.text(f"{folder}/{METRICS_CSV}")
    for name in task.stage.outputs:
        durable.write_text(task.hub.path(name), made[name])
