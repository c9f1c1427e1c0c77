"""How sure are the figures of arms, and which differences between arms are more than chance?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.common_measures import Together
from ptyrun.comparison.frame_figures import FOURIER_ERROR, R_FACTOR, ArmFrames, Held
from ptyrun.comparison.steps import Steps
from ptyrun.ptycho.consistency.r_factor import FrameSums
from ptyrun.ptycho.metrics import resampling
from ptyrun.ptycho.metrics.crossing_spread import resampled_crossings
from ptyrun.ptycho.metrics.few_blocks import (
    Resampled,
    honest_intervals,
    n_compared,
    resampled_figures,
)
from ptyrun.ptycho.metrics.frc import Noise, RingCorrelation
from ptyrun.ptycho.metrics.products import product
from ptyrun.ptycho.metrics.resampling import Blocks, Drawn
from ptyrun.ptycho.metrics.sectors import N_SECTORS
from ptyrun.ptycho.metrics.standard_metrics import THRESHOLDS, TRUTH_THRESHOLDS, Standard
from ptyrun.ptycho.metrics.tiles import Tiles
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.results import Difference, Interval, Resampling

TOO_SMALL = f"what is compared has fewer than {resampling.FEWEST_BLOCKS} blocks"
NO_REFERENCE = "there is nothing to measure pixels against"
NO_PIXELS = "the arms have too few pixels in common to measure"
NO_COMMON_FRAMES = "the arms have no frames in common"
FEW_FRAMES = f"their frames lie in fewer than {resampling.FEWEST_BLOCKS} blocks"

Floats = NDArray[np.float64]
# Between which values figures are, whatever chance may do.
_LIMITS = {
    **dict.fromkeys(("coherence", "frc", "complex_error", "invariant_error"), (0.0, 1.0)),
    **dict.fromkeys(("ssim", "ms_ssim", "contrast_correlation"), (-1.0, 1.0)),
    **dict.fromkeys(("mae", "r_factor", "fourier_error"), (0.0, np.inf)),
}


@dataclass(frozen=True)
class Certainty:
    """Intervals of each arm's figures, and of their differences, by resampling."""

    resampling: Resampling | None = None
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()

    @classmethod
    def of(cls, steps: Steps, scan: Scan, together: Together, held: Held) -> Self:
        """Resample the common pixels, and the frames, of all arms alike.

        Parameters
        ----------
        steps : Steps
            Measures how long this takes.
        scan : Scan
        together : Together
        held : Held
        """
        tiles = {
            name: found.standard.tiles
            for name, found in together.arms.items()
            if found.standard.tiles is not None
        }
        with steps.measured("intervals") as outcome:
            outcome.is_kept = False  # found again sooner than read
            return cls._resampled(tiles, scan, together, held)

    @classmethod
    def _resampled(
        cls, tiles: Mapping[str, Tiles], scan: Scan, together: Together, held: Held
    ) -> Self:
        share = 1.0 if together.ground is None else float(together.ground.covered.mean())
        drawn = Drawn.of(list(tiles.values()), share) if tiles else None
        blocks = None if drawn is None else drawn.blocks
        resampled: dict[str, dict[str, Resampled]] = {name: {} for name in held.arms}
        if drawn is not None:
            for name, each in tiles.items():
                figures = resampled_figures(drawn, each, share)
                undefined = together.arms[name].standard.undefined
                resampled[name] |= {
                    figure: values for figure, values in figures.items() if figure not in undefined
                }
        for name, found in together.arms.items():
            resampled[name] |= _crossings(found.standard)
        frame_blocks = _FrameBlocks.of(scan, held.arms)
        if frame_blocks is not None:
            for name, arm in held.arms.items():
                resampled[name] |= frame_blocks.resampled(arm.sums)
        intervals = {
            name: {figure: _within(figure, each) for figure, each in _intervals(figures).items()}
            for name, figures in resampled.items()
        }
        differences = tuple(
            Difference(first, second, _differences(resampled[first], resampled[second]))
            for first, second in combinations(resampled, 2)
        )
        too_small = "" if blocks else TOO_SMALL
        why_none = too_small if tiles else _without_pixels(scan, held, frame_blocks)
        described = Resampling(
            confidence=resampling.CONFIDENCE,
            n_resamples=resampling.N_RESAMPLES,
            seed=resampling.SEED,
            block_px=None if blocks is None else blocks.side_px,
            n_blocks=None if blocks is None else n_compared(blocks, share),
            frame_block_px=None if frame_blocks is None else frame_blocks.side_px,
            n_frame_blocks=None if frame_blocks is None else frame_blocks.n_blocks,
            why_none=why_none,
        )
        return cls(described, intervals, differences)


def _without_pixels(scan: Scan, held: Held, frame_blocks: _FrameBlocks | None) -> str:
    """Why nothing has intervals where no pixels are measured."""
    if frame_blocks is not None:
        return ""
    pixels = NO_REFERENCE if scan.object_guess is None else NO_PIXELS
    whys = dict.fromkeys(arm.why_none for arm in held.arms.values() if arm.why_none)
    alike = all(arm.figures.is_common for arm in held.arms.values())
    frames = "; ".join(whys) or (FEW_FRAMES if alike else NO_COMMON_FRAMES)
    return f"{pixels}, and for the frames: {frames}"


def _crossings(found: Standard) -> dict[str, Resampled]:
    """Where resampled ring correlations fall below each threshold, where there are such."""
    thresholds = THRESHOLDS if found.noise is Noise.BOTH else TRUTH_THRESHOLDS
    crossings: dict[str, Resampled] = {}
    for quantity, part in (("amplitude", "amplitude"), ("phase", "phase"), ("field", "value")):
        rings: RingCorrelation = getattr(found.curves, quantity)
        known = {
            name: threshold
            for name, threshold in thresholds.items()
            if f"{name}.{part}" not in found.undefined
        }
        for name, resampled in resampled_crossings(rings, known).items():
            crossings[f"{name}.{part}"] = Resampled(resampled, N_SECTORS)
    return crossings


def _intervals(figures: Mapping[str, Resampled]) -> dict[str, Interval]:
    found = honest_intervals(list(figures.values()))
    return {
        name: Interval(*ends) for name, ends in zip(figures, found, strict=True) if ends is not None
    }


def _within(name: str, interval: Interval) -> Interval:
    """What a figure can be at all: that of a difference may be outside."""
    metric = name.partition(".")[0]
    least, most = next(
        (ends for known, ends in _LIMITS.items() if metric.startswith(known)), (-np.inf, np.inf)
    )
    return Interval(max(interval.low, least), min(interval.high, most))


def _differences(
    first: Mapping[str, Resampled], second: Mapping[str, Resampled]
) -> dict[str, Interval]:
    return _intervals({name: first[name] - second[name] for name in first if name in second})


@dataclass(frozen=True)
class _FrameBlocks:
    """Squares of half a frame's side, in which the frames lie that all arms are held against.

    Frames in neighbouring squares see parts of the same object: their errors are correlated.
    """

    weights: Floats
    cells: NDArray[np.int64]
    side_px: int
    n_blocks: int

    @classmethod
    def of(cls, scan: Scan, arms: Mapping[str, ArmFrames]) -> _FrameBlocks | None:
        """Draw them; None where arms have no frames in common, or these lie in too few squares."""
        sums = [arm.sums for arm in arms.values()]
        if not sums or not all(arm.figures.is_common for arm in arms.values()):
            return None
        first = sums[0]
        if first is None or any(
            each is None or not np.array_equal(each.frames, first.frames) for each in sums
        ):
            return None
        side_px = max(1, scan.patch_px // 2)
        positions = scan.positions_px[first.frames]
        cells = ((positions - positions.min(axis=0)) // side_px).astype(np.int64)
        shape = (int(cells[:, 0].max()) + 1, int(cells[:, 1].max()) + 1)
        n_blocks = len(np.unique(cells, axis=0))
        if n_blocks < resampling.FEWEST_BLOCKS:
            return None
        weights = Blocks.drawn(shape, 1).weights
        return cls(weights[:, cells[:, 0], cells[:, 1]], cells, side_px, n_blocks)

    def resampled(self, sums: FrameSums | None) -> dict[str, Resampled]:
        """Give the figures of each resample."""
        if sums is None:
            return {}
        with np.errstate(divide="ignore", invalid="ignore"):
            own = [sums.absolute, sums.measured, sums.measured_power, sums.cross, sums.model_power]
            found = product(self.weights, np.stack(own, axis=1))
            absolute, measured, power, cross, model = found.T
            left = power - 2 * sums.scale * cross + sums.scale**2 * model
            missed = sums.measured_power - 2 * sums.scale * sums.cross
            missed += sums.scale**2 * sums.model_power
            return {
                f"{R_FACTOR}.value": self._of(absolute / measured, sums.absolute, sums.measured),
                f"{FOURIER_ERROR}.value": self._of(left / power, missed, sums.measured_power),
            }

    def _of(self, values: Floats, above: Floats, below: Floats) -> Resampled:
        """A ratio of sums over frames."""
        each = (above - above.sum() / below.sum() * below) / below.sum()
        influence = np.zeros(self.cells.max(axis=0) + 1)
        np.add.at(influence, (self.cells[:, 0], self.cells[:, 1]), each)
        return Resampled(values, self.n_blocks, 1, 1.0, influence)
