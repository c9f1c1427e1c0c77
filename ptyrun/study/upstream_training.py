"""How are upstream's own networks trained? By upstream's own programs, where they are installed.

They keep nothing on the way: such a training is made in one piece, in a window that holds it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ptyrun.errors import PredictorUnavailableError, PtyrunError, UnfinishedError
from ptyrun.host import durable, listing, partials, trees
from ptyrun.host.children import Parent
from ptyrun.host.packages import is_installed
from ptyrun.study.checks.wholeness import HDF5, ZIP, damage
from ptyrun.study.files import HubFiles
from ptyrun.study.task import Task
from ptyrun.study.training_stages import PINN

PACKAGE = "ptycho"
# The program that trains each kind of network, and what it calls the model.
PROGRAMS = {
    "wts.h5.zip": ("scripts.training.train", "pinn"),
    "baseline_model.h5": ("scripts.run_baseline", "supervised"),
}


class UpstreamTrainingError(PtyrunError):
    """Upstream's program ended without a whole model."""


def train(task: Task) -> None:
    """Make the model; settings are passed on as options of upstream's program.

    Raises
    ------
    PredictorUnavailableError
        If upstream's package is not installed.
    UnfinishedError
        If a signal ended it.
    UpstreamTrainingError
        If its program fails, or ends without a whole model.
    """
    (place,) = task.outputs()
    module, kind = PROGRAMS[task.value("trainer")]
    require_package(module)
    scratch = task.pieces.absolute() / "upstream"  # goes with the stage's pieces
    trees.discard(scratch)
    durable.make_folder(scratch)
    line = [sys.executable, "-m", module, *_words(task, scratch, kind)]
    print(" ".join(line), flush=True)
    with Parent() as parent:
        code = parent.call(line, os.environ, scratch)
        is_asked = parent.caught is not None
    if is_asked and code:
        raise UnfinishedError(
            f"the stage {task.stage.key} is not done yet",
            why="a signal ended upstream's training, which saves nothing before its end",
            do="run the same command again",
        )
    made = [path for path in listing.files_below(scratch) if path.name == place.name]
    model = max(made, key=lambda path: path.lstat().st_mtime, default=None)
    if code or model is None:
        ended = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
        raise _failed(task, module, ended if code else f"left no {place.name}")
    if said := _fault(scratch, model):
        raise _failed(task, module, f"left a {place.name} that {said}")
    partial = partials.name(place)
    with durable.storage_errors(place):
        shutil.copyfile(model, partial)
    durable.sync_file(partial)
    durable.publish(partial, place)
    durable.fsync_folder(place.parent)


def _failed(task: Task, module: str, how: str) -> UpstreamTrainingError:
    return UpstreamTrainingError(
        f"the stage {task.stage.key} failed",
        why=f"upstream's {module} {how}",
        do="see its output in the log, and correct what failed",
    )


def _fault(scratch: Path, model: Path) -> str:
    """Say why a file is no model of its kind, or no whole one; nothing of it is loaded."""
    name = model.relative_to(scratch).as_posix()
    kind, begins = ("ZIP archive", ZIP) if model.suffix == ".zip" else ("HDF5 file", HDF5)
    files = HubFiles(scratch)
    if said := damage(files, name):
        return said
    with files.open(name) as stream:
        return "" if stream.read(len(begins)) == begins else f"is not a {kind}"


def _words(task: Task, scratch: Path, kind: str) -> Sequence[str]:
    (source,) = (str(each.path.absolute()) for each in task.stage.inputs)
    is_pinn = task.stage.kind == PINN
    said = {
        "train_data_file": source,
        # Its Baseline must predict something when it is trained; that is not kept.
        **({} if is_pinn else {"test_data_file": source}),
        "output_dir": str(scratch),
        "nepochs": str(task.value("epochs")),
        "gridsize": str(task.value("gridsize")),
        **({"model_type": kind} if is_pinn else {}),
        **task.value("settings"),
    }
    return [word for name, value in said.items() for word in (f"--{name}", value)]


def require_package(*programs: str) -> None:
    """See that upstream's package is installed, and some of its programs.

    Raises
    ------
    PredictorUnavailableError
        If not.
    """
    for name in (PACKAGE, *programs):
        if not is_installed(name):
            raise PredictorUnavailableError(
                "upstream's networks can be trained by upstream's package alone",
                why=f"there is no module {name}",
                do="install PtychoPINN beside ptyrun (pip install git+https://github.com/hoidn/"
                "PtychoPINN), or choose another trainer",
            )
