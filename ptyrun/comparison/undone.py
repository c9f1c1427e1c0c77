"""What that a reconstruction leaves free is undone before frames judge its object?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.measures import Measures
from ptyrun.config import Alignment, EvaluationOptions
from ptyrun.frame_results import FrameFigures
from ptyrun.ptycho.metrics.alignment import CERTAIN
from ptyrun.ptycho.metrics.ramps import Ramp
from ptyrun.ptycho.metrics.registration import Shift
from ptyrun.ptycho.readers.scan import Scan
from ptyrun.results import Metric

# What is nearer is left as it is: it costs less than a hundredth of an R-factor (measured: 0.7 % at
# 0.05 px, 3 % at 0.1 px, 20 % at 0.36 px), and registration finds 0.003 px where arms agree.
FAR_PX = 0.05
# What lies nearer is not said to lie apart.
APART_PX = 0.5
FAR_CYCLES = 0.1  # across a patch, by which a ramp moves its frame in pixels
# What is less is not worth a word.
SHOWN_PX, SHOWN_RAD_PER_PX = 0.005, 0.0005


@dataclass(frozen=True)
class Undone:
    """By which shift an object is moved, and which ramp is taken off it."""

    shift: Shift
    ramp: Ramp

    @classmethod
    def of(
        cls,
        contrast_correlation: float | None,
        shift: Shift | None,
        ramp: Ramp,
        patch_px: int,
        far_px: float = FAR_PX,
    ) -> Self | None:
        """Take what registration found, where that is certain and not small."""
        if shift is None or not (contrast_correlation or 0.0) >= CERTAIN:
            return None
        cycles = math.hypot(ramp.y_rad_per_px, ramp.x_rad_per_px) * patch_px / (2 * math.pi)
        is_far = math.hypot(shift.dy_px, shift.dx_px) > far_px or cycles > FAR_CYCLES
        return cls(shift, ramp) if is_far else None

    def seen_from(self, scan: Scan) -> Scan:
        """Move the scan's positions to where the object lies, which is then not resampled."""
        return scan.changed(positions_px=scan.positions_px - np.array(self.moved_px))

    def without_ramp(self, image: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """Take the ramp off an object (H, W)."""
        return self.ramp.removed_from(image)

    @property
    def moved_px(self) -> tuple[float, float]:
        """The shift, as results have it."""
        return self.shift.dy_px, self.shift.dx_px

    @property
    def ramp_rad_per_px(self) -> tuple[float, float]:
        """The ramp, as results have it."""
        return self.ramp.y_rad_per_px, self.ramp.x_rad_per_px

    @classmethod
    def in_figures(cls, figures: FrameFigures) -> Self | None:
        """Read back what results have; None where nothing was undone."""
        if figures.moved_px is None or figures.ramp_rad_per_px is None:
            return None
        return cls(Shift(*figures.moved_px), Ramp(*figures.ramp_rad_per_px))

    @property
    def done(self) -> str:
        """What was done, as in "moved by (3.00, -4.00) px"."""
        dy, dx = self.moved_px
        y, x = self.ramp_rad_per_px
        moved = f"moved by ({_signed(dy, 2)}, {_signed(dx, 2)}) px"
        said = [moved] if math.hypot(dy, dx) >= SHOWN_PX else []
        if math.hypot(y, x) >= SHOWN_RAD_PER_PX:
            said.append(f"a ramp of ({_signed(y, 3)}, {_signed(x, 3)}) rad/px taken off")
        return ", ".join(said)

    def note(self) -> str:
        """Say on an arm what was done for its R-factor."""
        return f"R-factor: {self.done}, as registered"


def undone_of(
    measured: Mapping[str, Measures], options: EvaluationOptions, patch_px: int
) -> dict[str, Undone]:
    """Tell of which arms something is undone, by their names.

    Upstream's alignment looks at crops, whose places on the object's grid it does not tell.
    """
    if options.alignment is Alignment.UPSTREAM:
        return {}
    found = {
        name: Undone.of(
            own.standard.get("contrast_correlation", Metric()).value, own.shift, own.ramp, patch_px
        )
        for name, own in measured.items()
    }
    return {name: each for name, each in found.items() if each is not None}


def _signed(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"
