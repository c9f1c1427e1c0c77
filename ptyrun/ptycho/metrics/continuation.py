"""How does an image go on beyond its edges, so that its spectrum knows none?

Moved by a fraction of a pixel, or differentiated, by its spectrum, an image whose opposite edges do
not meet rings along every row and column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.geometry.placement import Region

MARGIN_PX = 32
NEAR_PX = 16  # of an edge that is as far away, hardly anything is left


def margin_px(region: Region, shape: tuple[int, ...]) -> int:
    """How far an image must go on so that a region is far from its edges.

    Parameters
    ----------
    region : Region
        Of the image.
    shape : tuple of int
        The image's.

    Returns
    -------
    int
        Pixels; 0 if the region is far from the edges.
    """
    height, width = shape
    least = min(
        region.top,
        region.left,
        height - region.top - region.height,
        width - region.left - region.width,
    )
    return 0 if least >= NEAR_PX else min(MARGIN_PX, height - 1, width - 1)


def continued(image: NDArray[Any], margin: int) -> NDArray[Any]:
    """Let an image go on as its mirror image, which fades into its mean: opposite edges meet.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        Real or complex.
    margin : int
        Pixels at each side.

    Returns
    -------
    ndarray, shape (H + 2 margin, W + 2 margin)
        The image in the middle.
    """
    if margin == 0:
        return image
    mean = image.mean()
    fading = np.pad(image - mean, margin, mode="reflect")
    edge = (1 - np.cos(np.pi * (np.arange(margin) + 0.5) / margin)) / 2
    for axis, side in enumerate(fading.shape):
        profile = np.ones(side)
        profile[:margin], profile[side - margin :] = edge, edge[::-1]
        fading *= profile[:, None] if axis == 0 else profile[None, :]
    return np.asarray(fading + mean)


def cosine_window(side: int, taper_px: int) -> NDArray[np.float64]:
    """Fade to zero: a raised cosine over the first and last pixels, 1 between: (side, side).

    SciPy's Tukey window to the last bits; importing ``scipy.signal`` for it takes a third of a
    second, of a comparison that may take ten.

    Parameters
    ----------
    side : int
        Side of the image, in pixels.
    taper_px : int
        Over how many pixels at each edge it fades.

    Returns
    -------
    ndarray of float64, shape (side, side)
        Between 0 and 1.
    """
    profile = np.ones(side)
    phase = np.pi * np.arange(taper_px) * side / max(1, taper_px * (side - 1))
    edge = (1 - np.cos(phase)) / 2
    profile[:taper_px] = edge
    profile[side - taper_px :] = edge[::-1]
    return profile[:, None] * profile[None, :]
