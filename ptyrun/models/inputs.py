"""Which of a network's inputs is the diffraction, and which the local offsets?"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ptyrun.errors import ModelError
from ptyrun.models.files import ModelCard

DIFFRACTION, OFFSETS = 0, 1
FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})

# Parts of names. A "sample" holds no "amp", a "component" no "pos", "disposition" is none either.
_OFFSETS = re.compile(r"offset|posit|(?<![a-z])pos(?![a-z])|coord|shift|displac")
_DIFFRACTION = re.compile(
    r"diff|(?<!s)ampli|(?<![a-z])amp(?![a-z])|intens|pattern|frame|measur|imag|detector"
)
_NEITHER = re.compile(
    r"probe|illum|mask|scale(?!d)|scaling|label|target|truth|index|weight|dose|energy|noise"
)


@dataclass(frozen=True)
class NetworkInput:
    """One input of a network, as far as its file tells.

    ``shape`` has the batch axis first, None where an axis is free; it is None where nothing is
    known. ``dtype`` is spelt as NumPy does; empty where unknown.
    """

    name: str = ""
    shape: tuple[int | None, ...] | None = None
    dtype: str = ""

    def __str__(self) -> str:
        axes = "free shape" if self.shape is None else f"({', '.join(map(_axis, self.shape))})"
        return " ".join(filter(None, (self.name, axes, self.dtype)))


def _axis(size: int | None) -> str:
    return "free" if size is None else str(size)


def require_floats(inputs: Sequence[NetworkInput], name: str) -> None:
    """Refuse a network whose inputs are no floating-point numbers.

    Raises
    ------
    ModelError
        If one is not: amplitudes are normalised, and a cast to integers would cut off nearly all of
        them.
    """
    for each in inputs:
        if each.dtype and each.dtype not in FLOATS:
            raise ModelError(
                f"{name} takes {each.dtype}" + f" as its input {each.name}" * bool(each.name),
                why="a predictor gets float amplitudes, normalised; as "
                f"{each.dtype} they would lose their fractions",
                do="save the network with a float32 input",
            )


def roles(
    inputs: Sequence[NetworkInput], name: str, *, ordered: bool = False
) -> tuple[tuple[int, ...], str]:
    """Tell for each input whether it is `DIFFRACTION` or `OFFSETS`.

    By its shape, where that tells; then by its name.

    Parameters
    ----------
    inputs : sequence of NetworkInput
    name : str
        What errors call the model.
    ordered : bool
        Whether inputs whose names say nothing may be taken in their order, since the two differ in
        their number of axes, and one taken for the other would be noticed.

    Returns
    -------
    roles : tuple of int
    note : str
        What the user should know about the choice; empty where it follows.

    Raises
    ------
    ModelError
        If which is which does not follow, or one of them is something else.
    """
    kinds = [_by_shape(each) for each in inputs]
    for at, each in enumerate(inputs):
        if kinds[at] is None and len(inputs) > 1:
            kinds[at] = _by_name(each.name, name)
    if len(inputs) == 1 and kinds[0] is not OFFSETS:
        return (DIFFRACTION,), ""
    if len(inputs) == 2 and len(set(kinds)) == 2:
        first = kinds[0] if kinds[0] is not None else _other(kinds[1])
        return (first, _other(first)), ""
    if kinds == [None, None] and ordered:
        names = " and ".join(each.name or "unnamed" for each in inputs)
        return (DIFFRACTION, OFFSETS), f"its inputs, {names}, are taken as diffraction and offsets"
    raise ModelError(
        f"which inputs of {name} are diffraction and offsets is not clear: "
        f"{', '.join(map(str, inputs)) or 'it has none'}",
        why="a predictor takes diffraction, or diffraction and local offsets, told apart by their "
        "shapes, or by names like diffraction and offsets",
        do="save the network with fixed shapes, or with inputs of such names",
    )


def _other(kind: int | None) -> int:
    return OFFSETS if kind == DIFFRACTION else DIFFRACTION


def _by_shape(each: NetworkInput) -> int | None:
    shape = each.shape
    if shape is None:
        return None
    if is_offsets(shape):
        return OFFSETS
    # Offsets have one axis less, or axes of 1 and 2: no image has.
    long = [size for size in shape[1:] if size is not None and size > 2]
    return DIFFRACTION if len(shape) == 4 and len(long) > 1 else None


def is_offsets(shape: Sequence[int | None]) -> bool:
    """Tell whether a shape is that of offsets: (B, 1, 2, C), or channel first (B, C, 2)."""
    return tuple(shape[1:3]) == (1, 2) or (len(shape) == 3 and shape[2] in (2, None))


def _by_name(name: str, model: str) -> int | None:
    lower = name.lower()
    if _OFFSETS.search(lower):
        return OFFSETS
    if _NEITHER.search(lower):
        raise ModelError(
            f"{model} takes an input called {name}",
            why="a predictor gets diffraction, and local offsets where the network takes them; "
            "nothing else is known of a group",
            do="save a network that holds what it needs besides, or name its inputs "
            "diffraction and offsets",
        )
    return DIFFRACTION if _DIFFRACTION.search(lower) else None


def card_of(
    inputs: Sequence[NetworkInput],
    description: str,
    channel_axis: int,
    name: str,
) -> ModelCard:
    """Read patch size, gridsize and batch from a network's inputs; none are known for no inputs.

    Parameters
    ----------
    channel_axis : int
        1 or 3 (last) of a diffraction input.

    Raises
    ------
    ModelError
        If an input is not of floating point, or channels are no square number.
    """
    require_floats(inputs, name)
    images = [
        each.shape
        for each in inputs
        if each.shape is not None and len(each.shape) == 4 and not is_offsets(each.shape)
    ]
    image = images[0] if images else (None,) * 4
    channels = image[channel_axis]
    return ModelCard(
        patch_px=image[2],
        gridsize=None if channels is None else _gridsize(channels, description),
        takes_offsets=len(inputs) > 1 if inputs else None,
        description=description,
        batch_items=image[0],
    )


def _gridsize(channels: int, description: str) -> int:
    gridsize = math.isqrt(channels)
    if gridsize**2 != channels:
        raise ModelError(
            f"the model takes {channels} patterns at once",
            why=f"its {description} says so; a group has gridsize^2 = 1, 4, 9, ... patterns",
            do="give a model whose input has a square number of channels",
        )
    return gridsize
