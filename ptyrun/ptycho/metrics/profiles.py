"""What does an image show along a line, and how wide is the edge there?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

# An edge must stand out of what its sides vary by.
CLEAR = 3.0
LOW, HIGH = 0.1, 0.9
ROUNDING = 1e-6

Line = tuple[float, float, float, float]
Floats = NDArray[np.float64]


def along(image: NDArray[Any], covered: NDArray[np.bool_], line: Line) -> NDArray[Any]:
    """Give the values along a line, a pixel apart.

    Parameters
    ----------
    image : ndarray, shape (h, w)
        Real or complex; between pixels it is interpolated linearly.
    covered : ndarray of bool, shape (h, w)
    line : (y0, x0, y1, x1)
        From and to, in pixels of the image; the last value lies less than a pixel before the end.

    Returns
    -------
    ndarray, shape (k,)
        NaN where the image is not known.
    """
    y0, x0, y1, x1 = line
    length = math.hypot(y1 - y0, x1 - x0)
    steps = np.arange(math.floor(length + ROUNDING) + 1) / (length or 1.0)
    places = np.stack([y0 + steps * (y1 - y0), x0 + steps * (x1 - x0)])
    # Rounding must not leave the image.
    ends = np.array(image.shape)[:, None] - 1
    places = np.where(
        np.abs(places - np.clip(places, 0, ends)) < ROUNDING, np.clip(places, 0, ends), places
    )

    def read(values: NDArray[Any]) -> Floats:
        return np.asarray(
            map_coordinates(values.astype(np.float64), places, order=1, cval=np.nan), np.float64
        )

    known = read(covered) > 1 - ROUNDING
    values = read(image.real) + 1j * read(image.imag) if np.iscomplexobj(image) else read(image)
    return np.where(known, values, np.nan)


def edge_width_px(values: Floats) -> float | None:
    """Give the distance over which an edge rises, or falls, from 10 to 90 %; None without one.

    The levels are the medians of the first and last quarters of the values (k,), a pixel apart.
    Source: ISO 12233:2023, edge spread function.

    Parameters
    ----------
    values : ndarray of float, shape (k,)
        A pixel apart, in any unit.

    Returns
    -------
    float, optional
        In pixels.
    """
    quarter = len(values) // 4
    if quarter < 2 or not np.isfinite(values).all():
        return None
    first, last = values[:quarter], values[-quarter:]
    before, after = float(np.median(first)), float(np.median(last))
    noise = max(float(np.std(first)), float(np.std(last)))
    if before == after or abs(after - before) < CLEAR * noise:
        return None
    rising = (values - before) / (after - before)
    crossings = np.flatnonzero((rising[:-1] < 0.5) & (rising[1:] >= 0.5))
    if len(crossings) == 0:
        return None
    middle = int(crossings[len(crossings) // 2])
    low = np.flatnonzero(rising[: middle + 1] <= LOW)
    high = np.flatnonzero(rising[middle + 1 :] >= HIGH) + middle + 1
    if len(low) == 0 or len(high) == 0:
        return None
    start, end = int(low[-1]), int(high[0])
    return (end - 1 + _part(rising, end - 1, HIGH)) - (start + _part(rising, start, LOW))


def _part(rising: Floats, index: int, level: float) -> float:
    """Where between a value and the next one the level is passed."""
    return float((level - rising[index]) / (rising[index + 1] - rising[index]))
