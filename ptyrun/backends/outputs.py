"""Which of a network's two outputs or channels is the amplitude, and which the phase?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import ModelError

# "sample", "upsampling", "image", "absorption" and "module" hold these syllables by chance.
AMPLITUDE = re.compile(r"amp(?!l(e|ing))|(?<!i)mag|abs(?!orp)|modul(?!e|at)")
PHASE = re.compile(r"phase|angle|(?<![a-z])ph")
NEITHER = re.compile(r"real|imag(?!e|ing)|absorp|^(re|im)$")
# Two channels under one such name are none of a polar form.
CARTESIAN = re.compile(
    r"real|imag(?!e|ing)|complex|cartes|absorp|(?<![a-z])(re|im|ri|reim|sin|cos)(?![a-z])"
)
NUMBER = re.compile(r"_?\d+$")
RULE = (
    "a name with 'phase' (or that begins with 'ph') is the phase, one with 'amp', 'mag', 'abs' "
    "or 'modul' the amplitude"
)


def parts(outputs: Any, names: Sequence[str] = ()) -> tuple[list[Any], list[str], bool]:
    """Take apart what a network gave: values, names, and whether their order means something.

    Parameters
    ----------
    outputs : a tensor, or a sequence, named tuple or mapping of tensors
    names : sequence of str
        The network's own names for outputs that are no mapping; names that do not fit are ignored.
    """
    if isinstance(outputs, Mapping):
        return list(outputs.values()), [str(name) for name in outputs], False
    if not isinstance(outputs, list | tuple):
        return [outputs], [*names] if len(names) == 1 else [""], True
    fields = [*(getattr(outputs, "_fields", None) or names)]
    known = fields if len(fields) == len(outputs) else [""] * len(outputs)
    return list(outputs), known, True


def amplitude_and_phase(names: Sequence[str], *, ordered: bool) -> tuple[int, int]:
    """Tell which of two outputs is the amplitude and which the phase.

    Outputs that come in order and whose names do not say otherwise are amplitude, phase.

    Parameters
    ----------
    names : sequence of two str
        Empty where an output has no name.
    ordered : bool
        False for the values of a mapping, whose order says nothing.

    Raises
    ------
    ModelError
        If the names say something else, or nothing where only they could.
    """
    kinds = tuple(map(_kind, names))
    if set(kinds) == {"amplitude", "phase"}:
        return kinds.index("amplitude"), kinds.index("phase")
    stems = {NUMBER.sub("", name) for name in names}
    if ordered and (
        len(stems) == 1 or (kinds[0] in ("", "amplitude") and kinds[1] in ("", "phase"))
    ):
        return 0, 1
    if stems == {"output"}:
        first = min(names, key=_number)
        return names.index(first), 1 - names.index(first)
    raise ModelError(
        f"the network's outputs are named {', '.join(names)}",
        why=f"which is amplitude and which is phase is not clear: {RULE}",
        do="export it with outputs named amplitude and phase, or with one complex output",
    )


def channels(name: str) -> tuple[int, int]:
    """Tell which channel of one real output with two is the amplitude and which the phase.

    A name that says nothing leaves them in this order.

    Raises
    ------
    ModelError
        If the name says something else.
    """
    lower = name.lower()
    amplitude, phase = AMPLITUDE.search(lower), PHASE.search(lower)
    cartesian = CARTESIAN.search(lower)
    if not (amplitude or phase or cartesian):
        return 0, 1
    if amplitude and phase and not cartesian:
        return (0, 1) if amplitude.start() < phase.start() else (1, 0)
    raise ModelError(
        f"the network's one output, of two channels, is named {name}",
        why="two channels are taken as amplitude and phase, and the name says something else",
        do="export it with one complex output, or with an output named amplitude_phase",
    )


# A few pixels below zero are what a last layer without activation leaves.
MOST_NEGATIVE = 0.25


def amplitude_doubts(amplitude: NDArray[np.floating[Any]] | None) -> tuple[str, ...]:
    """Doubt an amplitude that is negative in many pixels of a trial; None is no amplitude."""
    share = 0.0 if amplitude is None else float(np.mean(amplitude < 0))
    if share <= MOST_NEGATIVE:
        return ()
    return (
        f"its amplitude is negative in {share:.0%} of a trial's pixels, but amplitudes cannot be: "
        "does the network give real and imaginary parts, or the phase first?",
    )


def _kind(name: str) -> str:
    name = name.lower()
    amplitude, phase = AMPLITUDE.search(name), PHASE.search(name)
    if amplitude and phase and "phase" not in name:
        return "amplitude"
    if (amplitude and phase) or (NEITHER.search(name) and not (amplitude or phase)):
        return "neither"
    return "amplitude" if amplitude else "phase" if phase else ""


def _number(name: str) -> int:
    found = NUMBER.search(name)
    return int(found.group().strip("_")) if found else 0
