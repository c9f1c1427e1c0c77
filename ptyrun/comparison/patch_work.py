"""How are an arm's groups read, predicted and checked?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import gates
from ptyrun.comparison.first_patches import FirstPatches
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.config import Fact
from ptyrun.models.halving import HalvingPredictor
from ptyrun.models.predictors import WrongFormError
from ptyrun.ptycho.geometry import grouping
from ptyrun.ptycho.geometry.normalisation import normalised_groups
from ptyrun.ptycho.readers.opening import Scan

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GroupInputs:
    """What a predictor is given for some groups.

    Attributes
    ----------
    diffraction : ndarray of float32, shape (k, N, N, C)
        Normalised amplitude.
    local_offsets_px : ndarray of float32, shape (k, 1, 2, C)
        Upstream's layout: axis 2 = [x, y], sign -1.
    items : range
        Their numbers in the arm's table.
    """

    diffraction: NDArray[np.float32]
    local_offsets_px: NDArray[np.float32]
    items: range


class PatchWork:
    """The engine's ``Work`` for one arm: diffraction in, one patch per group out."""

    def __init__(
        self,
        first: FirstPatches,
        predictor: HalvingPredictor,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.batch_items = predictor.batch_items
        self._arm = first.plan
        self._first = first
        self._predictor = predictor
        self._said_input = False
        self._warn = warn

    def read(self, items: range) -> GroupInputs:
        """Read the frames of some groups and normalise them."""
        return read_groups(self._first.scan, self._first.index, items)

    def compute(self, inputs: GroupInputs, n_items: int) -> NDArray[np.complex64]:
        """Predict; what is not one patch per group ends the run, since no retry heals it."""
        if not self._said_input:
            self._said_input = True
            stats = gates.figures(inputs.diffraction)
            of = f"of the first {n_items} groups of this session"
            log.info("DIAGNOSTIC %s_input stats: %s, %s", self._arm.name, stats, of)
        try:
            # A matrix product sums its last rows in another order: every group keeps its row.
            first_row = inputs.items.start % self.batch_items
            return self._predictor.predict(inputs.diffraction, inputs.local_offsets_px, first_row)
        except WrongFormError as error:
            raise gates.wrong_form(self._arm.name, error) from error

    def check(self, items: range, outputs: NDArray[np.complex64]) -> Mapping[str, Fact]:
        """Refuse content that cannot be a prediction; give the DIAGNOSTIC figures."""
        figures = gates.figures(outputs)
        name = gates.output_name(self._arm.name)
        chunk = items.start // self._arm.chunk_items
        log.info("DIAGNOSTIC chunk %d %s stats: %s", chunk, name, figures)
        if chunk == 0:
            gates.log_first_patch(outputs[0])
        gates.require_content(self._arm.name, items, outputs, figures)
        if chunk == 0 and (doubt := self._first.doubt_of(items, outputs)):
            self._warn(f"{self._arm.label}: {doubt}")
        return figures.numbers()

    def close(self) -> None:
        """Give the predictor's memory back."""
        self._predictor.close()


def read_groups(scan: Scan, index: ArmIndex, items: range) -> GroupInputs:
    """Read the frames of some groups and normalise them.

    Parameters
    ----------
    items : range
        Groups of the arm's table.
    """
    part = slice(items.start, items.stop)
    frames, members_px = index.frames[part], index.positions_px[part]
    return GroupInputs(
        diffraction=normalised_groups(scan, frames, float(index.normalisation[0])),
        local_offsets_px=grouping.local_offsets_px(members_px).astype(np.float32),
        items=items,
    )
