"""What is there to see in the demo's object?

Amplitude: old coins (a photograph that comes with scikit-image), phase: a drawn test chart. Two
unlike pictures, so that one sees at once when a method mixes them up. The halves hold the same
sorts of things, but not the same things: one trains networks, the other tests them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage import data, transform

AMPLITUDE_RANGE = (0.4, 1.0)
PHASE_RANGE_RAD = (0.0, 1.2)
BLUR_PX = 0.7
FINER = 4
DRAWN_SHAPE = (380, 228)


def draw_object(shape: tuple[int, int]) -> NDArray[np.complex128]:
    """Transmission (dimensionless, complex) of the demo's object, shape (H, W)."""
    thin, opaque = AMPLITUDE_RANGE[1], AMPLITUDE_RANGE[0]
    amplitude = thin + (opaque - thin) * _resized(coins(), shape)
    phase_rad = PHASE_RANGE_RAD[0] + np.ptp(PHASE_RANGE_RAD) * _resized(chart(), shape)
    return np.asarray(amplitude * np.exp(1j * phase_rad))


def _resized(picture: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    resized = transform.resize(picture, shape, order=1, anti_aliasing=True)
    return np.asarray(np.clip(ndimage.gaussian_filter(resized, BLUR_PX), 0, 1))


def coins() -> NDArray[np.float64]:
    """Six rows of coins, in [0, 1], on a dark ground."""
    rows, columns = DRAWN_SHAPE
    picture = data.coins().T[:rows, 44 : 44 + columns].astype(float)
    return np.clip((picture - 50) / 160, 0, 1)


def chart() -> NDArray[np.float64]:
    """Stars, letters, rings and bars, in [0, 1]."""
    rows, columns = DRAWN_SHAPE
    image = Image.new("L", (columns * FINER, rows * FINER), 0)
    pen = ImageDraw.Draw(image)
    _star(pen, 84, 84, radius=42, spokes=14)
    _text(pen, 66, 160, "Aa", 54)
    _text(pen, 112, 158, "x 37", 30)
    _rings(pen, 158, 70, (6, 16, 26))
    _text(pen, 160, 140, "Eiger", 34)
    _text(pen, 212, 112, "ptyrun", 46)
    _rings(pen, 262, 66, (6, 15, 24))
    _star(pen, 286, 148, radius=44, spokes=18)
    _text(pen, 320, 72, "O(r)", 32)
    fine = np.asarray(image, dtype=float).reshape(rows, FINER, columns, FINER)
    return np.asarray(fine.mean(axis=(1, 3)) / 255)


def _box(y: float, x: float, radius: float) -> list[float]:
    return [FINER * v for v in (x - radius, y - radius, x + radius, y + radius)]


def _star(pen: ImageDraw.ImageDraw, y: float, x: float, radius: float, spokes: int) -> None:
    for spoke in range(spokes):
        start = 360 * spoke / spokes
        pen.pieslice(_box(y, x, radius), start, start + 180 / spokes, fill=255)


def _rings(pen: ImageDraw.ImageDraw, y: float, x: float, radii: tuple[float, ...]) -> None:
    for radius in radii:
        pen.ellipse(_box(y, x, radius), outline=255, width=5 * FINER)


def _text(pen: ImageDraw.ImageDraw, y: float, x: float, text: str, size_px: float) -> None:
    font = ImageFont.load_default(size_px * FINER)
    pen.text((x * FINER, y * FINER), text, font=font, fill=255, anchor="mm")
