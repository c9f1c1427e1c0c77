"""Are an offset of all positions, frames that are turned, and positions in other units named?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.ptycho.consistency.frame_fit import frame_fit
from ptyrun.ptycho.consistency.offset import better_offset
from ptyrun.ptycho.consistency.verdict import truth_doubts
from ptyrun.ptycho.readers.scan import Scan
from tests.ptycho.consistency.test_frame_order import Frames, amplitudes, counts
from tests.scans import PATCH_PX

GOOD = amplitudes(counts(1e5, n_positions=80, side_px=128))
# Frames that change little leave little, whatever the offset.
WEAK = amplitudes(counts(1e6, n_positions=80, side_px=128, contrast=0.3))
HALF = PATCH_PX // 2


def moved(scan: Scan, dy: int, dx: int) -> Scan:
    return replace(scan, positions_px=scan.positions_px + np.array([dy, dx]))


@settings(max_examples=12, deadline=None)
@given(dy=st.integers(-HALF, HALF), dx=st.integers(-HALF, HALF), weak=st.booleans())
def test_any_offset_of_up_to_half_a_frame_is_found(dy: int, dx: int, weak: bool) -> None:
    scan = moved(WEAK if weak else GOOD, dy, dx)
    assert scan.object_guess is not None
    fit = frame_fit(scan, scan.object_guess)
    assert fit is not None
    found = better_offset(scan, scan.object_guess, fit)
    if max(abs(dy), abs(dx)) >= 3:
        assert found is not None
    assert found is None or found.moved_px == (-dy, -dx)


def test_corners_of_patches_are_named_as_that() -> None:
    (doubt,) = truth_doubts(moved(GOOD, -HALF, -HALF))
    assert f"with all positions moved by ({HALF}, {HALF}) px in x and y" in doubt
    assert doubt.endswith("are they the corners of patches, and not their centres?")


@pytest.mark.parametrize("rolled", [0, 1])
@pytest.mark.parametrize(
    ("axes", "name"),
    [((1,), "upside down"), ((2,), "left to right"), ((1, 2), "turned by half a turn")],
)
def test_frames_that_are_turned_are_named(axes: tuple[int, ...], name: str, rolled: int) -> None:
    turned = np.roll(np.flip(GOOD.amplitudes(np.arange(GOOD.n_frames)), axes), rolled, axes)
    (doubt,) = truth_doubts(replace(GOOD, source=Frames(turned)))
    assert f"better with each frame {name}: residual 0.0" in doubt


@pytest.mark.parametrize(
    ("per_pixel", "said"),
    [
        (1e-8, "positions lie within"),
        (0.02, "positions lie within"),
        (20.0, "frames do not overlap: the median step is"),
        (0.0, "all 80 positions are the same"),
    ],
)
@pytest.mark.parametrize("has_object", [True, False])
def test_positions_in_other_units_are_doubted(
    per_pixel: float, said: str, has_object: bool
) -> None:
    guess = GOOD.object_guess if has_object else None
    scan = replace(GOOD, positions_px=GOOD.positions_px * per_pixel, object_guess=guess)
    assert any(said in doubt for doubt in truth_doubts(scan))


@pytest.mark.parametrize("has_object", [True, False])
def test_positions_in_pixels_are_not_doubted(has_object: bool) -> None:
    guess = GOOD.object_guess if has_object else None
    assert truth_doubts(replace(GOOD, object_guess=guess)) == ()
