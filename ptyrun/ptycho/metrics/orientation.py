"""Would an image lie better on another if it were turned round, or conjugated?

It is asked where it was moved far, for an object that is nearly symmetric agrees with its turned
self to a large part, somewhere; and where it has little in common with the other as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.aligned import Aligned
from ptyrun.ptycho.metrics.alignment import CLEARLY, align
from ptyrun.ptycho.metrics.shift_search import AGREEMENT_AFAR, SMALL_SHIFT_PX, length_px

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]

TOLD_PX, AROUND_PX = 512, 64  # of a large region, the middle tells enough
LITTLE, LITTLE_PX = 0.3, 256  # of agreement; and what tells that all of it agrees otherwise
CONJUGATED = "conjugated"
TURNS: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "turned by half a turn": lambda image: image[::-1, ::-1],
    "upside down": lambda image: image[::-1],
    "left to right": lambda image: image[:, ::-1],
    "transposed (x and y swapped)": lambda image: image.T,
    "turned by a quarter turn": lambda image: np.rot90(image),
    "turned by a quarter turn the other way": lambda image: np.rot90(image, -1),
    CONJUGATED: np.conj,
    f"{CONJUGATED} and turned by half a turn (the twin image)": lambda i: i[::-1, ::-1].conj(),
}


def says_conjugated(notes: Iterable[str]) -> bool:
    """Whether one of the notes that :func:`turned_note` gave is of a conjugate.

    Parameters
    ----------
    notes : iterable of str
        Of an arm.

    Returns
    -------
    bool
        Also of the twin image, which is a conjugate that is turned.
    """
    return any(CONJUGATED in note for note in notes)


def turned_note(
    recon: Complex2D, truth: Complex2D, covered: Mask, region: Region, found: Aligned
) -> str | None:
    """Say so where an image agrees clearly better when it is turned round or conjugated.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
        As they were aligned.
    covered : ndarray of bool, shape (H, W)
        Where the first is known.
    region : Region
        What is compared.
    found : Aligned
        What came of it.

    Returns
    -------
    str, optional
        For a person; None where the image lies near and has much in common, or no turn is better.
    """
    is_little = found.agreement < LITTLE
    is_far = length_px(found.shift) > SMALL_SHIFT_PX
    if found.is_featureless or (not is_little and not (is_far and found.registered)):
        return None
    side = LITTLE_PX if is_little else TOLD_PX
    middle = region.centre(min(region.height, side), min(region.width, side))
    outer = middle.grown(AROUND_PX, *truth.shape)
    inside, wanted = middle.seen_from(outer), truth[outer.slices]
    best, agreement = "", max(found.agreement + CLEARLY, AGREEMENT_AFAR)
    for name, turn in TURNS.items():
        # What lies at a place when the whole image is turned is turned there.
        image, known = turn(recon), turn(covered).astype(bool)
        if image.shape != truth.shape:
            continue
        try:
            turned = align(
                image[outer.slices], wanted, known[outer.slices], region=inside
            ).agreement
        except GeometryError:
            continue
        if turned > agreement:
            best, agreement = name, turned
    if not best:
        return None
    better = (
        f"{best}, the arm agrees better "
        f"(correlation {agreement:.2f} instead of {found.agreement:.2f})"
    )
    if not is_far:
        return better
    moved = f"({found.shift.dy_px:.1f}, {found.shift.dx_px:.1f})"
    return f"the shift of (dy, dx) = {moved} px may be wrong: {better}"
