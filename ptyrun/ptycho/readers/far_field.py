"""How do metres become pixels of the object, where a file says how the frames were taken?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.positions import checked_positions


def object_pixel_m(wavelength_m: float, distance_m: float, detector_m: float, side: int) -> float:
    """Side of an object pixel: wavelength x distance / (N x detector pixel), all in metres.

    Source: Thibault et al., Ultramicroscopy 109, 338 (2009), doi:10.1016/j.ultramic.2008.12.011.
    """
    return wavelength_m * abs(distance_m) / (side * abs(detector_m))


def positive(path: Path, **values: float | None) -> tuple[float, ...]:
    """Give numbers that a length depends on.

    Raises
    ------
    InputError
        If one is missing, not finite, or not positive.
    """
    wrong = [name for name, value in values.items() if not value or not 0 < value < np.inf]
    if wrong:
        raise InputError(
            f"{path} does not say how large a pixel of the object is",
            why=f"it has no positive {' and no positive '.join(wrong)}",
            do="write them into the file",
        )
    return tuple(float(value) for value in values.values() if value)


# No detector that a frame was taken with has larger pixels, or lies farther away.
LARGEST_PIXEL_M, LARGEST_DISTANCE_M = 0.01, 100.0


def require_plausible(path: Path, distance_m: float, detector_m: float) -> None:
    """See that a detector's distance and pixel, in metres, can be meant so.

    Raises
    ------
    InputError
        If they are not: their unit is another one that the file does not say.
    """
    for name, value, most in (
        ("distance", distance_m, LARGEST_DISTANCE_M),
        ("pixel", detector_m, LARGEST_PIXEL_M),
    ):
        if abs(value) > most:
            raise InputError(
                f"{path} has an implausible detector geometry",
                why=f"its {name} is {abs(value):.4g} m, above {most:g} m: is it in another unit?",
                do="write the attribute `units`, or the value in metres",
            )


def placed(
    path: Path, y: NDArray[Any], x: NDArray[Any], patch_px: int, n_frames: int
) -> NDArray[np.float64]:
    """Give positions (n, 2) in pixels, shifted so that the patches begin at pixel 0.

    Raises
    ------
    InputError
        If they are not finite real numbers, or not as many as frames.
    """
    found = checked_positions(path, x, y, n_frames)
    return np.asarray(found - found.min(axis=0) + patch_px / 2)
