"""What do patches add up to, block by block, so that a later window goes on where one ended?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import gates, ring_curves
from ptyrun.comparison.gates import Hole
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.kept import Finding
from ptyrun.config import Alignment, EvaluationOptions
from ptyrun.engine.rows import Rows, blocks, parts
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.geometry.stitching import Stitcher, central, reassemble_upstream
from ptyrun.ptycho.metrics.halves import HalfFigures, compared_halves
from ptyrun.resolutions import bounded, bounds
from ptyrun.results import HalvesResult, Metric

_HALVES = ("even", "odd")


@dataclass(frozen=True)
class Halves:
    """Two halves of an arm: what was found, how much of the region both cover, of frames both use.

    Groups of several frames have some in common with their neighbours: halves are then less
    independent than they seem.
    """

    found: HalfFigures
    covered_share: float
    shared_frames: float

    @property
    def result(self) -> HalvesResult:
        """All but the curves, as ``results.json`` has it."""
        found = self.found
        return HalvesResult(
            found.precision,
            found.undefined,
            self.covered_share,
            self.shared_frames,
            bounds(found.precision),
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The same, as it is kept."""
        return asdict(self.result)

    @classmethod
    def of(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read back what was kept."""
        kept = bounded(facts, "precision")["precision"]
        precision = {name: Metric(**metric) for name, metric in kept.items()}
        curves = ring_curves.from_arrays(arrays) if "rings_field" in arrays else None
        found = HalfFigures(precision, dict(facts["undefined"]), curves)
        return cls(found, facts["covered_share"], facts["shared_frames"])


@dataclass(frozen=True)
class ArmObject:
    """One arm's object on the object's own grid.

    Attributes
    ----------
    image : ndarray of complex64, shape (H, W)
        Zero where nothing lies.
    coverage : ndarray of float64, shape (H, W)
        Sum of the weights; 1 where a finished reconstruction lies.
    n_groups : int
        How many patches were laid.
    hole : Hole, optional
        Where patches that carry nothing leave a hole; None in a finished reconstruction.
    figures : Figures
        DIAGNOSTIC figures of all patches, or of the reconstruction.
    canvas : ndarray of complex64, shape (h, w)
        The object as upstream would stitch it; the image itself unless that was asked for.
    computation_time_s : float, optional
        What predicting, or reconstructing, took.
    notes : tuple of str
        What was assumed.
    mismatch : str, optional
        Why a finished reconstruction does not belong to the scan, if it does not.
    halves : Halves, optional
        What its even and odd groups have in common; a finished reconstruction has none.
    """

    image: NDArray[np.complex64]
    coverage: NDArray[np.float64]
    n_groups: int
    figures: gates.Figures
    canvas: NDArray[np.complex64]
    computation_time_s: float | None
    notes: tuple[str, ...] = ()
    hole: Hole | None = None
    mismatch: str | None = None
    halves: Halves | None = None

    def finding(self) -> Finding:
        """As it is kept for later windows."""
        facts = {
            "n_groups": self.n_groups,
            "figures": asdict(self.figures),
            "computation_time_s": self.computation_time_s,
            "notes": self.notes,
            "hole": None if self.hole is None else asdict(self.hole),
            "mismatch": self.mismatch,
            "halves": None if self.halves is None else self.halves.facts,
        }
        arrays: dict[str, NDArray[Any]] = {"image": self.image, "coverage": self.coverage}
        if self.halves is not None and self.halves.found.curves is not None:
            arrays |= ring_curves.arrays_of(self.halves.found.curves)
        if self.canvas is not self.image:
            arrays["canvas"] = self.canvas
        return Finding(facts, arrays)

    @classmethod
    def of(cls, found: Finding) -> Self:
        """Read back what :meth:`finding` gave."""
        facts, arrays = found.facts, found.arrays
        hole = facts["hole"]
        return cls(
            image=arrays["image"],
            coverage=arrays["coverage"],
            n_groups=facts["n_groups"],
            figures=gates.Figures(**facts["figures"]),
            canvas=arrays.get("canvas", arrays["image"]),
            computation_time_s=facts["computation_time_s"],
            notes=tuple(facts["notes"]),
            hole=None if hole is None else Hole(**hole),
            mismatch=facts["mismatch"],
            halves=None if facts["halves"] is None else Halves.of(facts["halves"], arrays),
        )


class Sums:
    """An arm's object, its DIAGNOSTIC figures and its holes as far as patches were added.

    Patches are added in order and every sum runs patch by patch in double precision, so that no bit
    depends on where it was interrupted.
    """

    def __init__(self, shape: tuple[int, int], options: EvaluationOptions, index: ArmIndex) -> None:
        self._index = index
        self._shape = shape
        self._crop_px = options.stitch_crop_px
        self._keeps_crops = options.alignment is Alignment.UPSTREAM
        self._clear()

    def _clear(self) -> None:
        self.position = 0
        # Groups of even and of odd numbers apart: what they have in common is the arm's precision.
        self._halves = tuple(Stitcher(self._shape, self._crop_px) for _ in range(2))
        self._tally = gates.Tally()
        self._crops: list[NDArray[np.complex64]] = []
        self._carries = np.zeros(len(self._index.frames), bool)

    @property
    def stitcher(self) -> Stitcher:
        """What all patches make."""
        even, odd = self._halves
        return even + odd

    def add(self, rows: range, patches: NDArray[np.complex64]) -> None:
        """Add the patches of the groups *rows*, the first of which is at `position`."""
        part = slice(rows.start, rows.stop)
        multiplicity, centres_px = self._index.multiplicity[part], self._index.centres_px[part]
        for parity, half in enumerate(self._halves):
            own = slice((parity - rows.start) % 2, None, 2)
            half.add(patches[own], centres_px[own], multiplicity[own])
        self._tally.add(patches)
        middle = central(patches, self._crop_px)
        self._carries[part] = middle.any(axis=(1, 2))
        if self._keeps_crops:
            self._crops.append(np.repeat(middle, multiplicity, 0))
        self.position = rows.stop

    def finding(self) -> Finding:
        """As they are kept for later windows."""
        arrays: dict[str, NDArray[Any]] = {}
        for name, half in zip(_HALVES, self._halves, strict=True):
            arrays[f"{name}_sum"], arrays[f"{name}_weight"] = half.state
        arrays |= {"tally": self._tally.state, "carries": self._carries}
        if self._crops:
            arrays["crops"] = np.concatenate(self._crops)
        return Finding({"position": self.position}, arrays)

    def resume(self, found: Finding | None) -> None:
        """Go on from what :meth:`finding` gave; from the beginning where that does not fit."""
        if found is None:
            return
        try:
            arrays = found.arrays
            for name, half in zip(_HALVES, self._halves, strict=True):
                half.resume((arrays[f"{name}_sum"], arrays[f"{name}_weight"]))
            self._tally.resume(arrays["tally"])
            self._carries[...] = arrays["carries"]
            self._crops = [arrays["crops"]] if self._keeps_crops else []
            self.position = int(found.facts["position"])
        except (KeyError, TypeError, ValueError):
            self._clear()

    def object(
        self, region: Region, computation_time_s: float | None, *notes: str | None
    ) -> ArmObject:
        """What all patches together make; halves are compared within the *region*."""
        image, coverage = self.stitcher.result()
        centres_px = self._index.centres_px
        hole = Hole.left_by(self._carries, centres_px, self._shape, self._crop_px)
        canvas = image
        if self._crops:
            offsets_px = np.repeat(centres_px[:], self._index.multiplicity[:], axis=0)
            crops = np.concatenate(self._crops)
            canvas, _ = reassemble_upstream(crops, offsets_px, self._crop_px)
        return ArmObject(
            image=image,
            coverage=coverage,
            n_groups=self._tally.n_items,
            figures=self._tally.figures(),
            canvas=canvas,
            computation_time_s=computation_time_s,
            notes=tuple(filter(None, [*notes, hole.note])),
            hole=hole,
            halves=self._compared(region),
        )

    def _compared(self, region: Region) -> Halves:
        (even, of_even), (odd, of_odd) = (half.result() for half in self._halves)
        inside = region.slices
        covered = (of_even[inside] > 0) & (of_odd[inside] > 0)
        found = compared_halves(even[inside], odd[inside], covered)
        return Halves(found, float(covered.mean()), _shared(self._index.frames))


def _shared(frames: Rows) -> float:
    """Share of all frames that both even and odd groups (G, C) have."""
    n_frames = 1 + max(int(block.max()) for block in blocks(frames))
    used = np.zeros((2, n_frames), np.bool_)
    for part in parts(len(frames)):
        for parity, found in enumerate(used):
            found[frames[part][(parity - part.start) % 2 :: 2]] = True
    return float(np.count_nonzero(used.all(axis=0)) / np.count_nonzero(used.any(axis=0)))
