"""How is a network of a study trained? In steps that any window gets on with.

A reference network by ptyrun's own trainers, or one of another package; the model lies where
comparisons look for it, its losses beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager

from ptyrun.host import durable
from ptyrun.report.losses import losses_png
from ptyrun.study import upstream_training
from ptyrun.study.task import Task
from ptyrun.study.training_stages import BASELINE, PINN, UPSTREAM
from ptyrun.training.checkpoints import Checkpoints
from ptyrun.training.course import Course, Training, write_model
from ptyrun.training.examples import read_examples
from ptyrun.training.trainers import Trainer, TrainingRequest, open_trainer

LABELS = {PINN: "PINN", BASELINE: "Baseline"}


def train(task: Task) -> None:
    """Make the model, ``training_losses.csv`` and ``training_losses.png``."""
    if task.value("trainer") in UPSTREAM:
        upstream_training.train(task)
        return
    (source,) = task.stage.inputs
    model, losses, picture = task.outputs()
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
        write_model(trainer, model)
    durable.write_text(losses, _csv(course))
    axes = task.stage.axes
    title = f"{LABELS[task.stage.kind]}, dose {axes['dose']}" + (
        f", {axes['view']}" if "view" in axes else ""
    )
    durable.write_atomic(picture, losses_png(title, course.names, course.epochs()))


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
