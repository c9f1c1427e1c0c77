"""How does another package test that what it offers keeps to ptyrun's contracts?

Needs pytest, which ptyrun itself does not.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from ptyrun.models.predictors import (
    ModelRequest,
    Predictor,
    PredictorOutOfMemoryError,
    fault_of,
)
from ptyrun.models.synthetic_groups import synthetic_groups
from ptyrun.ptycho.reconstruction.frames import Frames
from ptyrun.ptycho.reconstruction.reconstructor import (
    Found,
    ReconstructionRequest,
    Reconstructor,
    require_whole,
)
from ptyrun.testing.readers import ReaderContract
from ptyrun.testing.trainers import TrainerContract

__all__ = ["PredictorContract", "ReaderContract", "ReconstructorContract", "TrainerContract"]

Patches = NDArray[np.complex64]
Groups = tuple[NDArray[np.float32], NDArray[np.float32]]

# Another batch runs through other kernels, which may round in another way.
TOLERANCE_OF_BATCHES = 1e-3
# So much may be allocated by the test of memory, and so much would a batch's patches take.
LENT_BYTES, TOO_MANY_BYTES = 2**30, 2**32


class PredictorContract:
    """Tests that a predictor must pass, for a pytest class of its own package to inherit.

    Attributes
    ----------
    predictor : type
        The class that the package offers under the entry point ``ptyrun.predictors``.

    See Also
    --------
    ptyrun.predictors.Predictor : what its methods take and give, with shapes and units.

    Notes
    -----
    The tests open the model several times and give it made-up diffraction: (B, N, N, C) float32,
    normalised as in a run, with B the predictor's own ``batch_items``. They hold that

    - there is one patch per group, (B, N, N), complex64 and finite;
    - a group keeps every bit of its patch whatever the other rows of its batch hold, when it is
      asked for again, and when the model is opened again: chunks may be cut anywhere, and a resumed
      run must end in the bytes of an uninterrupted one;
    - another batch size changes a patch by rounding only, 1e-3 of its largest magnitude;
    - neither its inputs nor patches that were already given are written to;
    - memory that runs out ends in `PredictorOutOfMemoryError` (or ``MemoryError``), upon which
      ptyrun halves the batch.

    Examples
    --------
    A test module of another package::

        class TestMyPredictor(PredictorContract):
            predictor = MyPredictor

            @pytest.fixture
            def model_request(self, tmp_path):
                path = write_small_model(tmp_path)
                return ModelRequest(path, patch_px=32, gridsize=2, batch_items=4)
    """

    predictor: ClassVar[type[Predictor]]

    @pytest.fixture
    def model_request(self) -> ModelRequest:
        """Give a small model and what is asked of it; each subclass has its own.

        Returns
        -------
        ModelRequest
            With ``batch_items`` of at least 2, so that groups of a batch can be told apart.
        """
        raise NotImplementedError("the fixture model_request gives the predictor's small model")

    @pytest.fixture
    def opened(self, model_request: ModelRequest) -> Iterator[Predictor]:
        """Open the predictor for one test, and close it."""
        with self._opened(model_request) as opened:
            yield opened

    @pytest.fixture
    def too_large_request(self, model_request: ModelRequest) -> ModelRequest:
        """Give a model or batch that does not fit into 1 GiB: by default, patches of 4 GiB.

        A framework that ends the whole process there, or does not use the memory of this process,
        needs another one.
        """
        bytes_of_a_patch = np.dtype(np.complex64).itemsize * model_request.patch_px**2
        return replace(model_request, batch_items=TOO_MANY_BYTES // bytes_of_a_patch)

    def test_it_has_the_parts_of_a_predictor(self, opened: Predictor) -> None:
        fault = fault_of(opened)
        assert fault is None, fault

    def test_its_card_says_what_was_asked_for(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        for name in ("patch_px", "gridsize"):
            said, asked = getattr(opened.card, name), getattr(model_request, name)
            assert said in (None, asked), f"the card's {name} is {said}, but {asked} was asked for"

    def test_it_gives_one_patch_per_group(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        patches = opened.predict(*_groups(opened, model_request))
        wanted = (opened.batch_items, model_request.patch_px, model_request.patch_px)
        assert patches.shape == wanted, f"the shape is {patches.shape}, not {wanted}"

    def test_its_patches_are_complex64(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        dtype = opened.predict(*_groups(opened, model_request)).dtype
        assert dtype == np.complex64, f"patches are {dtype}, not complex64"

    def test_its_patches_are_finite(self, opened: Predictor, model_request: ModelRequest) -> None:
        patches = opened.predict(*_groups(opened, model_request))
        assert np.isfinite(patches).all(), "a patch has values that are not finite"

    def test_a_patch_does_not_depend_on_the_other_rows_of_its_batch(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        n = opened.batch_items
        diffraction, offsets_px = _groups(opened, model_request, batches=2)
        first = opened.predict(diffraction[:n], offsets_px[:n]).copy()
        for row in range(n):
            rows = np.arange(n, 2 * n)
            rows[row] = row
            among_others = opened.predict(diffraction[rows], offsets_px[rows])
            assert _same_bits(first[row : row + 1], among_others[row : row + 1]), (
                f"the patch in row {row} changes with the groups in other rows"
            )

    def test_a_patch_is_the_same_when_it_is_asked_for_again(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        groups = _groups(opened, model_request)
        first = opened.predict(*groups).copy()
        again = opened.predict(*groups)
        assert _same_bits(first, again), "the same groups got other patches the second time"

    def test_a_patch_is_the_same_when_the_model_is_opened_again(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        groups = _groups(opened, model_request)
        first = opened.predict(*groups).copy()
        with self._opened(model_request) as anew:
            again = anew.predict(*groups)
        assert _same_bits(first, again), "the model gives other patches when it is opened again"

    def test_a_smaller_batch_changes_a_patch_by_rounding_only(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        diffraction, offsets_px = _groups(opened, model_request)
        together = opened.predict(diffraction, offsets_px).copy()
        with self._opened(replace(model_request, batch_items=1)) as small:
            step = small.batch_items
            if step >= len(together):
                return  # the model takes no smaller batch
            for start in range(0, len(together) - step + 1, step):
                rows = slice(start, start + step)
                wanted, found = together[rows], small.predict(diffraction[rows], offsets_px[rows])
                limit = TOLERANCE_OF_BATCHES * np.nanmax(np.abs(wanted))
                assert np.allclose(found, wanted, rtol=0, atol=limit, equal_nan=True), (
                    f"batches of {len(together)} and {step} groups give different patches"
                )

    def test_it_leaves_its_inputs_as_they_are(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        groups = _groups(opened, model_request)
        before = [array.copy() for array in groups]
        opened.predict(*groups)
        for array, copy in zip(groups, before, strict=True):
            assert np.array_equal(array, copy), "predict writes to its inputs"

    def test_it_leaves_patches_that_it_gave_as_they_are(
        self, opened: Predictor, model_request: ModelRequest
    ) -> None:
        n = opened.batch_items
        diffraction, offsets_px = _groups(opened, model_request, batches=2)
        first = opened.predict(diffraction[:n], offsets_px[:n])
        before = first.copy()
        opened.predict(diffraction[n:], offsets_px[n:])
        assert _same_bits(first, before), "predict writes to patches that it gave before"

    def test_memory_that_runs_out_is_told_as_such(self, too_large_request: ModelRequest) -> None:
        one = synthetic_groups(1, too_large_request.patch_px, too_large_request.gridsize)
        try:
            with _little_memory(), self._opened(too_large_request) as opened:
                if opened.batch_items < too_large_request.batch_items:
                    return  # it chose a batch that fits
                # One group, seen as many: the input itself takes no memory.
                opened.predict(
                    *(
                        np.broadcast_to(array, (opened.batch_items, *array.shape[1:]))
                        for array in one
                    )
                )
        except (PredictorOutOfMemoryError, MemoryError):
            return
        except Exception as error:
            raise AssertionError(
                f"memory ran out, and the predictor raised {type(error).__name__} "
                "in place of PredictorOutOfMemoryError"
            ) from error
        raise AssertionError("the batch or model of too_large_request fits into memory")

    @contextmanager
    def _opened(self, request: ModelRequest) -> Iterator[Predictor]:
        opened = self.predictor.open(request)
        try:
            yield opened
        finally:
            opened.close()


class ReconstructorContract:
    """Tests that an iterative algorithm must pass, for a pytest class of its own package.

    Attributes
    ----------
    reconstructor : type
        The class that the package offers under the entry point ``ptyrun.reconstructors``.
    tolerance : float
        By how much, of the largest magnitude, a resumed object may differ; 0 is bit for bit.

    See Also
    --------
    ptyrun.reconstructors.Reconstructor : what its methods take and give, with shapes and units.
    """

    reconstructor: ClassVar[type[Reconstructor]]
    tolerance: ClassVar[float] = 0.0

    @pytest.fixture
    def request_made(self) -> ReconstructionRequest:
        """Give a small request of two epochs or more; each subclass has its own."""
        raise NotImplementedError("the fixture request_made gives the small request")

    def test_it_ends_after_the_epochs_that_were_asked_for(
        self, request_made: ReconstructionRequest
    ) -> None:
        found = self._run(request_made)
        require_whole(found, request_made.object_shape)
        assert found.loss.shape == (request_made.epochs,), "loss has one number per epoch"
        assert found.loss[-1] < found.loss[0], "the loss does not fall"

    def test_it_goes_on_from_its_state_as_if_it_had_never_been_put_down(
        self, request_made: ReconstructionRequest
    ) -> None:
        whole, cut = self._run(request_made), self._run(request_made, cut=True)
        limit = self.tolerance * np.abs(whole.object).max()
        assert np.abs(whole.object - cut.object).max() <= limit, "the resumed object is another"

    def test_its_state_is_plain_arrays_that_later_steps_leave_alone(
        self, request_made: ReconstructionRequest
    ) -> None:
        at_work = self.reconstructor.open(request_made)
        at_work.advance()
        state = at_work.state()
        assert not any(array.dtype.hasobject for array in state.values()), "a state is not objects"
        before = {name: array.tobytes() for name, array in state.items()}
        at_work.advance()
        at_work.close()
        assert before == {name: array.tobytes() for name, array in state.items()}

    def test_it_leaves_the_request_as_it_is(self, request_made: ReconstructionRequest) -> None:
        names = ("amplitudes", "positions_px", "probe")
        before = [getattr(request_made, name).tobytes() for name in names]
        self._run(request_made)
        assert before == [getattr(request_made, name).tobytes() for name in names]

    def test_it_asks_for_frames_by_their_numbers(self, request_made: ReconstructionRequest) -> None:
        frames = _FramesByNumber(request_made.amplitudes)
        whole = self._run(request_made)
        read = self._run(replace(request_made, amplitudes=frames))
        limit = self.tolerance * np.abs(whole.object).max()
        assert np.abs(whole.object - read.object).max() <= limit, "a study's frames are no array"

    def _run(self, request: ReconstructionRequest, *, cut: bool = False) -> Found:
        at_work = self.reconstructor.open(request)
        while at_work.epochs_done < request.epochs:
            at_work.advance()
            if cut:
                state = at_work.state()
                at_work.close()
                at_work = self.reconstructor.open(request, state)
        found = at_work.found()
        at_work.close()
        return found


@dataclass(frozen=True)
class _FramesByNumber:
    """Frames as a study has them: they can be asked for, and nothing else."""

    all: Frames

    @property
    def shape(self) -> tuple[int, ...]:
        return self.all.shape

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, numbers: NDArray[np.int64], /) -> NDArray[np.float32]:
        return self.all[numbers]


def _groups(opened: Predictor, request: ModelRequest, batches: int = 1) -> Groups:
    return synthetic_groups(batches * opened.batch_items, request.patch_px, request.gridsize)


def _same_bits(one: Patches, other: Patches) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


@contextmanager
def _little_memory() -> Iterator[None]:
    """Lend this process 1 GiB more than it has, so that a test cannot take the machine's."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    allowed = psutil.Process().memory_info().vms + LENT_BYTES
    if resource.RLIM_INFINITY not in limits:
        allowed = min(allowed, *limits)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
