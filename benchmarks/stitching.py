"""How long does it take to lay all patches of a full Baseline arm on the object?"""

from __future__ import annotations

import numpy as np

from benchmarks.figures import Figure, Scale, in_turns, summed_up
from ptyrun.ptycho.geometry.stitching import Stitcher

N_PATCHES = 20_864
PATCH_PX = 128
CROP_PX = 20
OBJECT_PX = 464
BLOCK = 256


def measure(scale: Scale) -> list[Figure]:
    """Stitch 20 864 patches of 128 x 128 with crop 20, beside adding up the same crops."""
    n_patches = N_PATCHES // 10 if scale.quick else N_PATCHES
    random = np.random.default_rng(0)
    parts = random.standard_normal((2, BLOCK, PATCH_PX, PATCH_PX), np.float32)
    block = parts[0] + 1j * parts[1]
    positions_px = random.uniform(PATCH_PX / 2, OBJECT_PX - PATCH_PX / 2, (n_patches, 2))

    def stitch() -> None:
        stitcher = Stitcher((OBJECT_PX, OBJECT_PX), CROP_PX)
        for first in range(0, n_patches, BLOCK):
            chunk = positions_px[first : first + BLOCK]
            stitcher.add(block[: len(chunk)], chunk)
        stitcher.result()

    def add_up() -> None:
        """The least there is to do: whole pixels, no weights."""
        canvas = np.zeros((OBJECT_PX, OBJECT_PX), np.complex128)
        low = (PATCH_PX - CROP_PX) // 2
        for number, (y, x) in enumerate((positions_px - CROP_PX // 2).astype(int).tolist()):
            crop = block[number % BLOCK, low : low + CROP_PX, low : low + CROP_PX]
            canvas[y : y + CROP_PX, x : x + CROP_PX] += crop

    seconds = in_turns({"stitch": stitch, "add": add_up}, scale.rounds)
    least_s = summed_up("least", seconds["add"], "s").value
    return [
        summed_up(
            f"stitch {n_patches} patches of {PATCH_PX} px, crop {CROP_PX}",
            seconds["stitch"],
            "s",
            note=f"a plain sum of the crops at whole pixels: {least_s:.2f} s",
        )
    ]
