"""How does a package of its own bring a predictor to ptyrun?

It names a class, which does what `Predictor` says, as an entry point of the group
``ptyrun.predictors``. What such a class may use is here; it stays where it is, and so does what it
does, wherever it is made inside.
"""

from __future__ import annotations

from ptyrun.models.cards import inspect
from ptyrun.models.files import ModelCard, ModelFile, locate, require_trust
from ptyrun.models.kinds import ModelKind
from ptyrun.models.predictors import (
    ModelRequest,
    Predictor,
    PredictorOutOfMemoryError,
    WrongFormError,
    check_form,
    check_output,
    check_request,
    how_to_mend,
    in_foreign_code,
    open_predictor,
)

__all__ = [
    "ModelCard",
    "ModelFile",
    "ModelKind",
    "ModelRequest",
    "Predictor",
    "PredictorOutOfMemoryError",
    "WrongFormError",
    "check_form",
    "check_output",
    "check_request",
    "how_to_mend",
    "in_foreign_code",
    "inspect",
    "locate",
    "open_predictor",
    "require_trust",
]
