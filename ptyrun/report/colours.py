"""Which colour does a value get?"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import lab2rgb

# Equal steps of a value look equal; a circle only where phases go round it.
AMPLITUDE, THIN_PHASE, PHASE, SIGNED, COUNT, GREY = (
    "viridis",
    "magma",
    "twilight_shifted",
    "RdBu_r",
    "YlGnBu",
    "gray",
)
LEAST_SPAN = 1e-4  # of the largest value, or in radians: less is rounding, and no picture

LEVELS = 255  # a palette has 256 entries; the last one is transparency
_BRIGHTEST_LIGHTNESS = 72.0
_CHROMA_PER_LIGHTNESS = 0.52  # every hue stays inside sRGB: no colour is clipped


@dataclass(frozen=True)
class Scale:
    """How values become colours: ``low`` and ``high`` are the ends of the colour bar."""

    colours: str
    low: float
    high: float
    quantity: str
    cyclic: bool = False

    @property
    def low_label(self) -> str:
        """The lower end, in words for the colour bar."""
        return "−π" if self.cyclic else number(self.low, self.high - self.low)

    @property
    def high_label(self) -> str:
        """The upper end, in words for the colour bar."""
        return "π" if self.cyclic else number(self.high, self.high - self.low)

    @property
    def bar(self) -> str:
        """A data URI: all colours from low to high, one pixel high."""
        return _indexed(np.arange(LEVELS, dtype=np.uint8)[np.newaxis], self.colours)


def number(value: float, span: float) -> str:
    """Write a number with as many decimals as its neighbours within *span* ask for.

    Examples
    --------
    >>> number(0.20061, 0.001)
    '0.20061'
    >>> number(-1.5, 3), number(-0.001, 3)
    ('−1.50', '0.00')
    """
    if not math.isfinite(value):
        return "–"
    decimals = 2 - math.floor(math.log10(span)) if span > 0 else 3
    text = f"{value:.{decimals}f}" if 0 <= decimals <= 6 else f"{value:.4g}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def spread(
    values: NDArray[np.floating],
    colours: str,
    quantity: str,
    percentiles: tuple[float, float] = (1.0, 99.0),
    fixed: tuple[float | None, float | None] = (None, None),
) -> Scale:
    """Scale that spans the middle 98 % of *values*, or what *fixed* says of its ends.

    A constant, which values are that differ by less than rounding does, gets a range around it.
    """
    found = _percentiles(values, *percentiles)
    low, high = (one if end is None else end for one, end in zip(found, fixed, strict=True))
    size = max(abs(low), abs(high), 1.0 if "rad" in quantity else 0.0)
    if not high - low > LEAST_SPAN * size:
        low, high = low - 0.5 * (size or 1.0), high + 0.5 * (size or 1.0)
    return Scale(colours, low, high, quantity)


def around_zero(arrays: list[NDArray[np.floating]], quantity: str) -> Scale:
    """Scale from -m to m for differences, m the 99th percentile of all magnitudes."""
    magnitudes = np.concatenate([np.abs(values).ravel() for values in arrays])
    limit = _percentiles(magnitudes, 50.0, 99.0)[1] or 1.0
    return Scale(SIGNED, -limit, limit, quantity)


def full_circle() -> Scale:
    """Scale of a phase: both ends are one colour."""
    return Scale(PHASE, -math.pi, math.pi, "phase (rad)", cyclic=True)


def painted(values: NDArray[np.floating], scale: Scale) -> NDArray[np.uint8]:
    """Colour an image (H, W) by a scale: (H, W, 4), transparent where a value is not finite."""
    known = np.isfinite(values)
    table = np.frombuffer(_palette(scale.colours), np.uint8).reshape(-1, 3)
    image = np.empty((*values.shape, 4), np.uint8)
    image[..., :3] = table[_levels(values, known, scale)]
    image[..., 3] = np.where(known, 255, 0)
    return image


def _levels(
    values: NDArray[np.floating], known: NDArray[np.bool_], scale: Scale
) -> NDArray[np.uint8]:
    fraction = (np.where(known, values, scale.low) - scale.low) / (scale.high - scale.low)
    levels = np.clip(np.floor(fraction * LEVELS), 0, LEVELS - 1).astype(np.uint8)
    return np.asarray(np.where(known, levels, np.uint8(LEVELS)))


def paint(values: NDArray[np.floating], scale: Scale) -> str:
    """Colour an image by a scale.

    Parameters
    ----------
    values : ndarray of float, shape (H, W)
        What is not finite becomes transparent.

    Returns
    -------
    str
        A data URI of an indexed PNG.
    """
    return _indexed(_levels(values, np.isfinite(values), scale), scale.colours)


def paint_field(field: NDArray[np.complexfloating], brightest: float) -> str:
    """Colour a complex image: hue is phase, lightness is amplitude.

    Parameters
    ----------
    field : ndarray of complex, shape (H, W)
        What is not finite becomes transparent.
    brightest : float
        The amplitude that gets full lightness.

    Returns
    -------
    str
        A data URI of an RGBA PNG. Hues lie at equal lightness and chroma in CIE Lab, so none
        stands out for its brightness.
    """
    known = np.isfinite(field)
    kept = np.where(known, field, 0)
    amplitude = np.clip(np.abs(kept) / brightest, 0.0, 1.0)
    lightness = _BRIGHTEST_LIGHTNESS * amplitude
    chroma = _CHROMA_PER_LIGHTNESS * lightness
    phase = np.angle(kept)
    lab = np.stack([lightness, chroma * np.cos(phase), chroma * np.sin(phase)], axis=-1)
    rgba = np.dstack([lab2rgb(lab), known])
    return _uri(Image.fromarray(np.round(255 * rgba).astype(np.uint8)))


@cache
def wheel(side_px: int = 160) -> str:
    """Key of :func:`paint_field`: a disc, phase around it, amplitude from the centre out."""
    axis = np.linspace(-1.0, 1.0, side_px)
    disc = axis[np.newaxis, :] - 1j * axis[:, np.newaxis]
    return paint_field(np.where(np.abs(disc) <= 1.0, disc, np.nan), brightest=1.0)


def _percentiles(values: NDArray[np.floating], low: float, high: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if known.size == 0:
        return 0.0, 0.0
    found = np.percentile(known, [low, high])
    return float(found[0]), float(found[1])


@cache
def _palette(colours: str) -> bytes:
    samples = matplotlib.colormaps[colours](np.linspace(0.0, 1.0, LEVELS), bytes=True)
    return bytes(np.asarray(samples)[:, :3].tobytes()) + b"\0\0\0"


def _indexed(levels: NDArray[np.uint8], colours: str) -> str:
    image = Image.fromarray(levels)
    image.putpalette(_palette(colours))
    return _uri(image, {"transparency": LEVELS})


def _uri(image: Image.Image, options: Mapping[str, int] | None = None) -> str:
    memory = io.BytesIO()
    image.save(memory, "PNG", compress_level=1, **(options or {}))
    return "data:image/png;base64," + base64.b64encode(memory.getvalue()).decode("ascii")
