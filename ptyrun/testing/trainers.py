"""Does a trainer keep to its contract? Exact resumption above all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ptyrun.errors import UsageError
from ptyrun.training import trainers
from ptyrun.training.checkpoints import packed
from ptyrun.training.order import epoch_order
from ptyrun.training.trainers import Trainer, TrainingRequest


class TrainerContract:
    """Tests that a trainer must pass, for a pytest class of its own package to inherit.

    Attributes
    ----------
    trainer : type
        The class that the package offers under the entry point ``ptyrun.trainers``.

    See Also
    --------
    ptyrun.trainers.Trainer : what its methods take and give, with shapes and units.

    Notes
    -----
    The tests hold that a training which is cut off after any step, and resumed by a new
    trainer from the state that was kept, ends in the bits of one that was not; that equal states
    are saved as equal bytes; and that a state of another network is refused.
    """

    trainer: ClassVar[type[Trainer]]

    @pytest.fixture
    def training_request(self) -> TrainingRequest:
        """Give a small training: a few examples, a small network; each subclass has its own."""
        raise NotImplementedError("the fixture training_request gives a small training")

    @pytest.fixture
    def other_request(self, training_request: TrainingRequest) -> TrainingRequest | None:
        """Give a training of a network of another size; None if the trainer has one size only."""
        return None

    def test_it_has_the_parts_of_a_trainer(self, training_request: TrainingRequest) -> None:
        with self._opened(training_request) as opened:
            fault = trainers.fault_of(opened)
        assert fault is None, fault

    def test_a_step_gives_a_finite_number_for_each_figure(
        self, training_request: TrainingRequest
    ) -> None:
        with self._opened(training_request) as opened:
            (figures,) = self._steps(opened, training_request, 0, 1)
            assert len(figures) == len(opened.figures), f"{figures} for {opened.figures}"
        assert np.isfinite(figures).all(), f"the figures are {figures}"

    def test_a_step_changes_its_state(self, training_request: TrainingRequest) -> None:
        with self._opened(training_request) as opened:
            before = _bytes_of(opened)
            self._steps(opened, training_request, 0, 1)
            assert _bytes_of(opened) != before, "a step changes nothing"

    def test_its_state_is_a_copy(self, training_request: TrainingRequest) -> None:
        with self._opened(training_request) as opened:
            self._steps(opened, training_request, 0, 1)
            state = opened.state()
            before = packed(state, "")
            self._steps(opened, training_request, 1, 2)
        assert packed(state, "") == before, "a later step writes to a state that was given"

    def test_equal_requests_give_equal_bits(self, training_request: TrainingRequest) -> None:
        found = []
        for _ in range(2):
            with self._opened(training_request) as opened:
                figures = self._steps(opened, training_request, 0, 2)
                found.append((figures, _bytes_of(opened)))
        assert found[0] == found[1], "the same training gives other bits the second time"

    def test_a_training_that_was_cut_off_ends_in_the_same_bits(
        self, training_request: TrainingRequest, tmp_path: Path
    ) -> None:
        with self._opened(training_request) as opened:
            whole = self._steps(opened, training_request, 0, 3)
            last = _bytes_of(opened)
            opened.save(tmp_path / "whole")
        for cut in (0, 2):
            with self._opened(training_request) as first:
                self._steps(first, training_request, 0, cut)
                state = first.state()
            with self._opened(training_request) as second:
                second.restore(state)
                rest = self._steps(second, training_request, cut, 3)
                assert rest == whole[cut:], f"figures differ when it is cut off after {cut} steps"
                assert _bytes_of(second) == last, f"so does the state, after {cut} steps"
                if cut:
                    second.save(tmp_path / "resumed")
        saved = (tmp_path / "resumed").read_bytes()
        assert saved == (tmp_path / "whole").read_bytes(), "equal states are saved otherwise"

    def test_a_state_of_another_network_is_refused(
        self, training_request: TrainingRequest, other_request: TrainingRequest | None
    ) -> None:
        with self._opened(training_request) as opened:
            states = [{}, {**opened.state(), "more": np.zeros(3)}]
            if other_request is not None:
                with self._opened(other_request) as other:
                    states.append(dict(other.state()))
            before = _bytes_of(opened)
            for state in states:
                with pytest.raises(ValueError):
                    opened.restore(state)
                assert _bytes_of(opened) == before, "a state that was refused changed the network"

    def test_it_gives_one_finite_patch_per_item(self, training_request: TrainingRequest) -> None:
        with self._opened(training_request) as opened:
            items = np.arange(opened.batch_items)
            before = _bytes_of(opened)
            patches = opened.predict(items)
            assert _bytes_of(opened) == before, "predict changes the state"
        side = training_request.examples.patch_px
        assert patches.shape == (len(items), side, side), f"the shape is {patches.shape}"
        assert patches.dtype == np.complex64, f"patches are {patches.dtype}, not complex64"
        assert np.isfinite(patches).all(), "a patch has values that are not finite"

    def test_it_leaves_its_examples_as_they_are(self, training_request: TrainingRequest) -> None:
        examples = training_request.examples
        arrays = (examples.diffraction, examples.local_offsets_px, examples.probe)
        before = [array.tobytes() for array in arrays]
        with self._opened(training_request) as opened:
            self._steps(opened, training_request, 0, 2)
        assert [array.tobytes() for array in arrays] == before, "it writes to its examples"

    def test_an_unknown_setting_is_refused(self, training_request: TrainingRequest) -> None:
        request = replace(training_request, settings={"no_such_setting": "1"})
        with pytest.raises(UsageError, match="no_such_setting"), self._opened(request):
            pass

    @contextmanager
    def _opened(self, request: TrainingRequest) -> Iterator[Trainer]:
        opened = self.trainer.open(request)
        try:
            yield opened
        finally:
            opened.close()

    def _steps(
        self, opened: Trainer, request: TrainingRequest, first: int, stop: int
    ) -> list[tuple[float, ...]]:
        order = np.concatenate(
            [
                epoch_order(request.seed, epoch, opened.n_items, opened.batch_items)
                for epoch in range(max(stop, 1))
            ]
        )
        return [tuple(opened.step(items)) for items in order[first:stop]]


def _bytes_of(opened: Trainer) -> bytes:
    return packed(opened.state(), "")
