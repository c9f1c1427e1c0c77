"""Predictors that each break one rule of the contract; run by test_testing.py."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.models.predictors import ModelCard, ModelRequest
from ptyrun.testing import PredictorContract

Float32 = NDArray[np.float32]
Complex64 = NDArray[np.complex64]


class Sound:
    """Adds up the frames of a group."""

    def __init__(self, request: ModelRequest) -> None:
        self.card = ModelCard(request.patch_px, request.gridsize, True, "adds up frames")
        self.batch_items = request.batch_items

    @classmethod
    def open(cls, request: ModelRequest) -> Self:
        return cls(request)

    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        angle = local_offsets_px[:, 0, 0, 0, None, None]
        return (diffraction.sum(-1) * np.exp(1j * angle)).astype(np.complex64)

    def close(self) -> None:
        pass


class NoCard(Sound):
    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        self.card = SimpleNamespace(patch_px=None, gridsize=None)  # type: ignore[assignment]


class CardOfAnother(Sound):
    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        self.card = replace(self.card, patch_px=request.patch_px + 1)


class OneAxisMore(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        return super().predict(diffraction, local_offsets_px)[..., None]


class DoublePrecision(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        patches = super().predict(diffraction, local_offsets_px)
        return patches.astype(np.complex128)  # type: ignore[return-value]


class NotFinite(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        patches = super().predict(diffraction, local_offsets_px)
        patches[:, 0, 0] = np.nan
        return patches


class MixesGroups(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        bright = 1 + np.float32(1e-4) * diffraction.mean()
        return super().predict(diffraction, local_offsets_px) * bright


class RemembersItsCalls(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        patches = super().predict(diffraction, local_offsets_px)
        key = diffraction.tobytes()
        if key in SEEN.setdefault(id(self), set()):
            patches *= np.float32(1.0001)
        SEEN[id(self)].add(key)
        return patches

    def close(self) -> None:
        SEEN.pop(id(self), None)


SEEN: dict[int, set[bytes]] = {}


class DrawsItsWeights(Sound):
    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        self._weight = np.float32(1 + 1e-5 * next(OPENED))

    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        return super().predict(diffraction, local_offsets_px) * self._weight


OPENED = itertools.count()


class KnowsItsBatch(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        return super().predict(diffraction, local_offsets_px) * np.float32(self.batch_items)


class WritesToItsInputs(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        patches = super().predict(diffraction, local_offsets_px)
        if local_offsets_px.flags.writeable:
            local_offsets_px[..., 1] = 0
        return patches


class ReusesItsOutput(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        patches = super().predict(diffraction, local_offsets_px)
        kept = OUTPUTS.setdefault(id(self), patches)
        kept[:] = patches
        return kept

    def close(self) -> None:
        OUTPUTS.pop(id(self), None)


OUTPUTS: dict[int, Complex64] = {}


class HidesThatMemoryRanOut(Sound):
    def predict(self, diffraction: Float32, local_offsets_px: Float32) -> Complex64:
        try:
            return super().predict(diffraction, local_offsets_px)
        except MemoryError:
            raise RuntimeError("allocation failed") from None


class TakesAnyBatch(Sound):
    """A batch that does not matter to memory: its own, whatever was asked for."""

    def __init__(self, request: ModelRequest) -> None:
        super().__init__(replace(request, batch_items=min(request.batch_items, 4)))


BREAKS = {
    NoCard: "it_has_the_parts_of_a_predictor",
    CardOfAnother: "its_card_says_what_was_asked_for",
    OneAxisMore: "it_gives_one_patch_per_group",
    DoublePrecision: "its_patches_are_complex64",
    NotFinite: "its_patches_are_finite",
    MixesGroups: "a_patch_does_not_depend_on_the_other_rows_of_its_batch",
    RemembersItsCalls: "a_patch_is_the_same_when_it_is_asked_for_again",
    DrawsItsWeights: "a_patch_is_the_same_when_the_model_is_opened_again",
    KnowsItsBatch: "a_smaller_batch_changes_a_patch_by_rounding_only",
    WritesToItsInputs: "it_leaves_its_inputs_as_they_are",
    ReusesItsOutput: "it_leaves_patches_that_it_gave_as_they_are",
    HidesThatMemoryRanOut: "memory_that_runs_out_is_told_as_such",
}


class Contract(PredictorContract):
    @pytest.fixture
    def model_request(self) -> ModelRequest:
        return ModelRequest(Path("model"), patch_px=8, gridsize=2, batch_items=4)


for kind in (Sound, TakesAnyBatch, *BREAKS):
    name = f"Test{kind.__name__}"
    globals()[name] = type(name, (Contract,), {"predictor": kind, "__module__": __name__})
