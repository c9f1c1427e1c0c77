"""What does an image show along a line, and how wide is the edge there?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

# An edge must stand out of what its sides vary by.
CLEAR = 3.0
LOW, HIGH = 0.1, 0.9
ROUNDING = 1e-6

# Of the reference's step, with its sign.
LEAST_STEP = 0.5
NOT_OF_REFERENCE = "what the arms are held against has no edge along the line"
FAINT = "the step is less than half of that of what the arms are held against, or opposite"
NO_EDGE = "there is no edge: both ends of the line have one level, or vary more than they differ"
ALL_ALONG = (
    "the profile rises or falls all along the line: its levels before and after are not on it"
)
SEVERAL = "there are several edges: the profile comes back past the middle of its levels"
TWO_EDGES = "there are two edges: the profile ends at the level it began at"

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


@dataclass(frozen=True)
class Edge:
    """How wide an edge is, in pixels, or why there is no width.

    Attributes
    ----------
    width_px : float, optional
        From 10 to 90 % of the step.
    why_none : str
        Empty where there is a width.
    step : float
        From the level before to that after, or of two edges how far they lead away, in the unit of
        the values; 0 without an edge.
    """

    width_px: float | None
    why_none: str = ""
    step: float = 0.0

    def beside(self, reference: Edge) -> Edge:
        """Give no width to what is no edge of the reference: noise and ramps have widths, too.

        Parameters
        ----------
        reference : Edge
            That of what the image is held against, along the same line.

        Returns
        -------
        Edge
            This one, or none and the reason.
        """
        if reference.width_px is None:
            return self if self.width_px is None else Edge(None, NOT_OF_REFERENCE)
        share = self.step / reference.step
        if self.why_none == TWO_EDGES:  # what rises and falls again has no sign
            share = abs(share)
        is_faint = self.step != 0 and share < LEAST_STEP
        return Edge(None, FAINT) if is_faint else self


def edge(values: Floats) -> Edge:
    """Give the distance over which an edge rises, or falls, from 10 to 90 %, or say why none.

    The levels are the medians of the first and last quarters of the values (k,), a pixel apart.
    Source: ISO 12233:2023, edge spread function.

    Parameters
    ----------
    values : ndarray of float, shape (k,)
        A pixel apart, in any unit.

    Returns
    -------
    Edge
        Its width in pixels.
    """
    quarter = len(values) // 4
    if quarter < 2:
        return Edge(None, f"the line is too short: {len(values)} values")
    if not np.isfinite(values).all():
        return Edge(
            None,
            "the line leaves the pixels that all arms cover, or those where this value is defined",
        )
    first, last = values[:quarter], values[-quarter:]
    before, after = float(np.median(first)), float(np.median(last))
    noise = max(float(np.std(first)), float(np.std(last)))
    if before == after or abs(after - before) < CLEAR * noise:
        return _none(values, before, after, noise)
    rising = (values - before) / (after - before)
    crossings = np.flatnonzero((rising[:-1] < 0.5) & (rising[1:] >= 0.5))
    if len(crossings) == 0:
        return Edge(None, NO_EDGE)
    passed = rising[crossings[0] + 1 :]
    if passed.min() <= LOW or passed[int(np.argmax(passed >= HIGH)) :].min() < 0.5:
        return Edge(None, SEVERAL)
    middle = int(crossings[len(crossings) // 2])
    low = np.flatnonzero(rising[: middle + 1] <= LOW)
    high = np.flatnonzero(rising[middle + 1 :] >= HIGH) + middle + 1
    if len(low) == 0 or len(high) == 0:
        return Edge(None, NO_EDGE)
    start, end = int(low[-1]), int(high[0])
    width = (end - 1 + _part(rising, end - 1, HIGH)) - (start + _part(rising, start, LOW))
    if width > (len(values) - 1) / 2:
        return Edge(None, ALL_ALONG)
    return Edge(width, step=after - before)


def _none(values: Floats, before: float, after: float, noise: float) -> Edge:
    """Tell a bar, which ends as it began, from what has no edge at all."""
    between = float(np.abs(values - (before + after) / 2).max())
    is_bar = between > max(2 * CLEAR * noise, 1e-6 * float(np.abs(values).max()))
    return Edge(None, TWO_EDGES, between) if is_bar else Edge(None, NO_EDGE)


def _part(rising: Floats, index: int, level: float) -> float:
    """Where between a value and the next one the level is passed."""
    return float((level - rising[index]) / (rising[index + 1] - rising[index]))
