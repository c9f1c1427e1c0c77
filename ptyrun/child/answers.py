"""What does a predictor's process answer, and what of it is believed?

Errors travel as a name and texts. A name becomes one of ptyrun's own classes if it is among those
that a predictor may raise; everything else is a failure of the predictor.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from ptyrun import errors
from ptyrun.child.lines import MAX_TEXT, GarbledLineError, encoded
from ptyrun.errors import PredictionError, PtyrunError
from ptyrun.models import predictors
from ptyrun.models.files import ModelCard
from ptyrun.models.predictors import PredictorOutOfMemoryError, WrongFormError

MAX_NOTES = 20
_CUT = 2000
# What tells of a fault in words only; the rest of ptyrun's errors say what the session found out.
KNOWN: dict[str, type[PtyrunError]] = {
    kind.__name__: kind
    for kind in (
        errors.UsageError,
        errors.InputError,
        errors.ForeignFileError,
        errors.GeometryError,
        errors.SchemaError,
        errors.GarbledError,
        errors.NewerError,
        errors.ModelError,
        errors.UnknownPredictorError,
        errors.PredictorUnavailableError,
        errors.PredictionError,
        WrongFormError,
        PredictorOutOfMemoryError,
    )
}
HINT = (
    "its process is confined to its model, its packages and a cache of its own; "
    "--unconfined lets it do what you can do"
)
MAX_KIN = 16


class UntruthError(ValueError):
    """An answer that no honest child gives."""


class PredictorRaisedError(PredictionError):
    """A predictor raised an error of its own."""


class _ThereError(Exception):
    """The traceback in the predictor's process; shown above the error of the session."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def line_of(error: BaseException) -> bytes:
    """Put an error into a line, in the child."""
    try:
        return encoded(_message_of(error))
    except BaseException as other:  # its class is foreign code as well, and its name may be long
        why = "it is too long" if isinstance(other, GarbledLineError) else ""
        texts = ["an error that cannot be named", why, ""]
        told = {"event": "error", "kin": [], "texts": texts, "traceback": "", "denied": False}
        return encoded(told)


def _message_of(error: BaseException) -> dict[str, Any]:
    lines = traceback.format_exception(error)
    text = _said(error)
    if isinstance(error, PtyrunError):
        kin = [each.__name__ for each in type(error).__mro__ if issubclass(each, PtyrunError)]
        texts = [error.what, error.why, error.do]
    elif isinstance(error, MemoryError):
        kin = [PredictorOutOfMemoryError.__name__]
        texts = ["it ran out of memory", text or type(error).__name__, "use smaller batches"]
    else:
        kin, texts = [], [type(error).__name__, text, ""]
    return {
        "event": "error",
        "kin": kin[:MAX_KIN],
        "texts": [each[:_CUT] for each in texts],
        "traceback": "".join(lines)[-MAX_TEXT:],
        "denied": isinstance(error, PermissionError) or "Permission denied" in "".join(lines),
    }


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as other:  # it is code of the predictor's
        return f"what it says could not be had ({type(other).__name__})"


def raised(
    answer: dict[str, Any],
    *,
    what_failed: str = "predictor",
    known: Mapping[str, type[PtyrunError]] = KNOWN,
    hint: str = "",
) -> PtyrunError:
    """Make the error that an answer tells of, in the session.

    Parameters
    ----------
    answer : dict
    what_failed : str
        Whose code it is.
    known : mapping
        Errors that it may raise, by name.
    hint : str
        Said where something was denied to it.

    Raises
    ------
    UntruthError
        If it is no such answer.
    """
    texts = answer.get("texts")
    if not isinstance(texts, list) or len(texts) != 3:
        raise UntruthError("an error without a message")
    what, why, do = (_text(each) for each in texts)
    kin = answer.get("kin")
    if not isinstance(kin, list) or len(kin) > MAX_KIN:
        raise UntruthError("an error without its kind")
    kind = next((known[name] for name in map(_text, kin) if name in known), None)
    found: PtyrunError
    if kind is None:
        found = PredictorRaisedError(
            f"the {what_failed} failed with {what}" + (f": {why}" if why else ""),
            why="its code, or code that it calls, raised this",
            do="look at its traceback in the log, and correct it or what it was given",
        )
    else:
        found = kind(what, why, do)
    if hint and answer.get("denied") is True:
        found = found.with_hint(hint)
    found.__cause__ = _ThereError(_text(answer.get("traceback")))
    return found


def card_of(answer: dict[str, Any]) -> tuple[ModelCard, int]:
    """Read what an opened predictor says of itself: its card and its batch.

    Raises
    ------
    UntruthError
        If that is none.
    """
    batch_items, said = answer.get("batch_items"), answer.get("card")
    if type(batch_items) is not int or not 1 <= batch_items < 2**31 or not isinstance(said, dict):
        raise UntruthError("an opened predictor without a card or batch size")
    notes, only, offsets = said.get("notes"), said.get("batch_items"), said.get("takes_offsets")
    if not isinstance(notes, list) or len(notes) > MAX_NOTES:
        raise UntruthError("a card without notes")
    if offsets is not None and type(offsets) is not bool:
        raise UntruthError("a card that does not say what the model takes")
    card = ModelCard(
        patch_px=_size(said.get("patch_px")),
        gridsize=_size(said.get("gridsize")),
        takes_offsets=offsets,
        description=_text(said.get("description")),
        notes=tuple(map(_text, notes)),
        batch_items=_size(only),
    )
    return card, batch_items


def require_form(answer: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Refuse patches that are not those asked for.

    Raises
    ------
    WrongFormError
        If shape or type differ.
    UntruthError
        If the answer says neither.
    """
    found, dtype = answer.get("shape"), _text(answer.get("dtype"))
    if not isinstance(found, list) or not all(map(_is_length, found[:33])):
        raise UntruthError("patches without a shape")
    predictors.check_form_of(tuple(found[:33]), dtype, shape[0], shape[-1])


def _is_length(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _size(value: object) -> int | None:
    if value is None or (type(value) is int and 1 <= value < 2**31):
        return value
    raise UntruthError("an invalid size")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UntruthError("text is missing")
    return value[:MAX_TEXT]
