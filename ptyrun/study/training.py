"""How is a network of a study trained? In steps that any window gets on with.

A reference network by ptyrun's own trainers, or one of another package; the model lies where
comparisons look for it, its losses beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ptyrun.child.fence import package
from ptyrun.host import durable
from ptyrun.report.losses import losses_png
from ptyrun.study import foreign, upstream_training
from ptyrun.study.foreign import Made
from ptyrun.study.task import StageFailedError, Task
from ptyrun.study.training_stages import BASELINE, PINN, UPSTREAM
from ptyrun.training.checkpoints import Checkpoints
from ptyrun.training.course import Course, Training, write_model
from ptyrun.training.examples import read_examples
from ptyrun.training.trainers import Trainer, TrainingRequest, find, open_trainer
from ptyrun.training.verdict import require_finite

LABELS = {PINN: "PINN", BASELINE: "Baseline"}


def train(task: Task) -> None:
    """Make the model, ``training_losses.csv`` and ``training_losses.png``."""
    if task.value("trainer") in UPSTREAM:
        upstream_training.train(task)
        return
    model, losses, picture = task.outputs()
    found = foreign.made(task, "trainer", learn, _reads(task), model)
    course = _course_of(found)
    durable.write_text(losses, _csv(course))
    axes = task.stage.axes
    title = f"{LABELS[task.stage.kind]}, dose {axes['dose']}" + (
        f", {axes['view']}" if "view" in axes else ""
    )
    durable.write_atomic(picture, losses_png(title, course.names, course.epochs()))


def learn(task: Task, folder: Path) -> Made:
    """Train the network and write its model into *folder*; give the course of its losses."""
    (source,) = task.stage.inputs
    request = TrainingRequest(
        examples=read_examples(source.path, int(task.value("gridsize"))),
        epochs=int(task.value("epochs")),
        seed=int(task.value("seed")),
        threads=int(task.value("threads")),
        settings=dict(task.value("settings")),
    )
    with _opened(task.value("trainer"), request) as trainer:
        # A framework of another version computes other bits: its states are not mixed with these.
        kept = Checkpoints(task.pieces, f"{task.pieces.name} {trainer.identity}")
        must_learn = task.stage.kind == BASELINE
        course = Training(trainer, request, kept, task.window, _say, must_learn).run()
        write_model(trainer, folder / task.outputs()[0].name)
    per_epoch = np.array(course.steps_per_epoch)
    return Made(course.names, {"figures": course.figures, "steps_per_epoch": per_epoch})


def _reads(task: Task) -> Iterator[Path | str]:
    """What a trainer reads: the scan, its package, and files that its settings name."""
    (source,) = task.stage.inputs
    yield source.path
    yield from package(find(task.value("trainer")).module)
    for value in task.value("settings").values():
        if Path(value).is_absolute():
            yield value


def _course_of(found: Made) -> Course:
    try:
        figures = np.asarray(found.arrays["figures"])
        per_epoch = int(found.arrays["steps_per_epoch"][()])
        course = Course(found.texts, figures, per_epoch)
        if figures.dtype != np.float64 or figures.ndim != 2 or not figures.size:
            raise ValueError(f"losses are {figures.dtype} of shape {figures.shape}")
        if per_epoch < 1 or course.epochs().shape[1] != len(found.texts):
            raise ValueError("losses are not those of whole epochs")
    except (KeyError, TypeError, ValueError) as error:
        raise StageFailedError(
            "the trainer left no course of its losses", why=str(error), do="correct the trainer"
        ) from error
    require_finite(len(figures) - 1, tuple(figures.ravel().tolist()))
    return course


@contextmanager
def _opened(name: str, request: TrainingRequest) -> Iterator[Trainer]:
    trainer = open_trainer(name, request)
    try:
        yield trainer
    finally:
        trainer.close()


def _say(line: str) -> None:
    print(line, flush=True)  # its log


def _csv(course: Course) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("epoch", *course.names))
    for epoch, means in enumerate(course.epochs().tolist(), start=1):
        table.writerow((epoch, *map(repr, means)))
    return text.getvalue()
