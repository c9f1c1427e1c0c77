"""How long is a piece of the picture?"""

from __future__ import annotations

import math
from dataclasses import dataclass

_LARGEST_SHARE = 0.3
_PREFIXES = {0: "m", -3: "mm", -6: "µm", -9: "nm", -12: "pm"}


@dataclass(frozen=True)
class ScaleBar:
    """A length to compare with: its share of the picture's width, and how long that is."""

    width_percent: float
    label: str


def scale_bar(width_px: int, pixel_size_m: float | None) -> ScaleBar:
    """Choose the longest of 1, 2, 5 times a power of ten below a third of the picture.

    Parameters
    ----------
    width_px : int
        The picture's width in pixels of the object's grid.
    pixel_size_m : float or None
        Object pixel in metres; None measures in pixels.

    Examples
    --------
    >>> scale_bar(464, None)
    ScaleBar(width_percent=21.55, label='100 px')
    >>> scale_bar(464, 5e-9).label
    '500 nm'
    """
    width = width_px * (pixel_size_m or 1.0)
    length = _round_length(_LARGEST_SHARE * width)
    if pixel_size_m is None:
        length = max(length, 1.0)
    label = f"{length:g} px" if pixel_size_m is None else _metres(length)
    return ScaleBar(round(100 * length / width, 2), label)


def _round_length(limit: float) -> float:
    decade = 10.0 ** math.floor(math.log10(limit))
    return max(factor * decade for factor in (1.0, 2.0, 5.0) if factor * decade <= limit * 1.000001)


def _metres(length_m: float) -> str:
    exponent = min(max(3 * math.floor(math.log10(length_m * 1.000001) / 3), -12), 0)
    return f"{round(length_m / 10.0**exponent, 6):g} {_PREFIXES[exponent]}"
