"""How does a package of its own bring a trainer to ptyrun?

It names a class, which does what `Trainer` says, as an entry point of the group
``ptyrun.trainers``. The entry point is called what the file is called that the trainer writes, like
``unet.keras``: by that name ``ptyrun compare`` knows how to read it.
"""

from __future__ import annotations

from ptyrun.training.order import epoch_order, one_cycle, steps_per_epoch
from ptyrun.training.settings import number, refuse_unknown
from ptyrun.training.trainers import (
    Examples,
    State,
    Trainer,
    TrainingRequest,
    open_trainer,
)

__all__ = [
    "Examples",
    "State",
    "Trainer",
    "TrainingRequest",
    "epoch_order",
    "number",
    "one_cycle",
    "open_trainer",
    "refuse_unknown",
    "steps_per_epoch",
]
