"""Does the ePIE find the object, and does nobody see where it was put down and taken up again?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ptyrun.ptycho.reconstruction.epie import Epie
from ptyrun.ptycho.reconstruction.frames import BLOCK_BYTES, blocks
from ptyrun.ptycho.reconstruction.reconstructor import (
    Found,
    ReconstructionError,
    ReconstructionRequest,
)
from ptyrun.ptycho.simulation.exposure import FarField
from ptyrun.testing import ReconstructorContract
from tests.scenes import small_object, small_probe

SIDE_PX = 32
SHAPE = (72, 72)


def request_of(
    n: int = 160, epochs: int = 40, photons: float = 0.0, *, side_px: int = SIDE_PX
) -> ReconstructionRequest:
    """Frames of a known object at positions between pixels; without noise unless photons are."""
    rng = np.random.default_rng(5)
    half = side_px / 2
    positions = rng.uniform(half + 1, SHAPE[0] - half - 1, (n, 2))
    probe = small_probe(side_px)
    far_field = FarField(small_object(*SHAPE), probe)
    intensity = np.stack([far_field.intensity(each) for each in positions])
    if photons:
        unit = intensity.sum(axis=(1, 2)).mean() / photons
        intensity = rng.poisson(intensity / unit) * unit
    return ReconstructionRequest(
        np.sqrt(intensity).astype(np.float32), positions, probe, SHAPE, epochs
    )


@pytest.fixture(scope="module")
def small() -> ReconstructionRequest:
    return request_of(n=40, epochs=3, side_px=16)


def run(request: ReconstructionRequest, cut_after: tuple[int, ...] = ()) -> Found:
    """Run to the end; put down and taken up again after so many steps each."""
    at_work = Epie.open(request)
    for steps in cut_after:
        for _ in range(steps):
            if at_work.epochs_done < request.epochs:
                at_work.advance()
        at_work = Epie.open(request, at_work.state())
    while at_work.epochs_done < request.epochs:
        at_work.advance()
    return at_work.found()


def error_of(found: Found, margin_px: int = 18) -> float:
    """Fienup's error, blind to one complex factor, doi:10.1364/AO.36.008352."""
    inner = (slice(margin_px, -margin_px),) * 2
    seen, truth = found.object[inner], small_object(*SHAPE)[inner]
    norms = np.vdot(seen, seen).real * np.vdot(truth, truth).real
    return float(np.sqrt(1 - abs(np.vdot(seen, truth)) ** 2 / norms))


def bits(found: Found) -> tuple[bytes, ...]:
    return found.object.tobytes(), found.probe.tobytes(), found.loss.tobytes()


class TestContract(ReconstructorContract):
    reconstructor = Epie

    @pytest.fixture
    def request_made(self, small: ReconstructionRequest) -> ReconstructionRequest:
        return small


def test_it_finds_a_known_object() -> None:
    found = run(request_of())
    assert error_of(found) < 0.025
    assert found.loss[-1] < 3e-5 < 1e-2 < found.loss[0]


def test_it_finds_a_known_object_behind_noise() -> None:
    assert error_of(run(request_of(epochs=25, photons=1e5))) < 0.06


def test_it_mends_a_wrong_probe_if_it_may() -> None:
    request = request_of(n=100, epochs=10)
    turned = request.probe * np.exp(0.5j * np.angle(request.probe))
    wrong = replace(request, probe=turned.astype(np.complex64))
    assert run(replace(wrong, update_probe=True)).loss[-1] < 0.5 * run(wrong).loss[-1]


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 4), max_size=6), update=st.booleans())
def test_it_ends_in_the_same_bits_wherever_it_was_cut(
    small: ReconstructionRequest, cuts: list[int], update: bool
) -> None:
    request = replace(small, update_probe=update)
    assert bits(run(request, tuple(cuts))) == bits(run(request))


def test_another_seed_gives_other_bits(small: ReconstructionRequest) -> None:
    assert bits(run(replace(small, seed=1))) != bits(run(small))


class ManyFrames:
    """A million frames, each made when it is asked for."""

    def __init__(self, few: NDArray[np.float32]) -> None:
        self.few = few
        self.most = 0
        self.shape = (1_000_000, *few.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, numbers: NDArray[np.int64], /) -> NDArray[np.float32]:
        self.most = max(self.most, len(numbers))
        return self.few[numbers % len(self.few)]


@pytest.mark.slow
def test_frames_are_asked_for_a_few_at_a_time(small: ReconstructionRequest) -> None:
    frames = ManyFrames(np.asarray(small.amplitudes[np.arange(40)]))
    assert sum(len(block) for block in blocks(frames)) == 1_000_000
    at_work = Epie.open(replace(small, amplitudes=frames))
    at_work.advance()
    assert frames.most * frames.few[0].nbytes <= BLOCK_BYTES


def _spoiled(state: dict[str, NDArray[np.generic]]) -> Iterator[dict[str, NDArray[np.generic]]]:
    for name, array in state.items():
        yield {key: value for key, value in state.items() if key != name}
        yield {**state, name: np.zeros((2, 3, 4), array.dtype)}
        yield {**state, name: np.zeros(array.shape, np.int8)}
    yield {**state, "frames_of_epoch": np.array(-1, np.int64)}
    yield {**state, "frames_of_epoch": np.array(40, np.int64)}
    yield {**state, "loss": np.zeros(4)}


def test_a_state_of_something_else_is_refused(small: ReconstructionRequest) -> None:
    states = [*_spoiled(Epie.open(small).state())]
    for state in states:
        with pytest.raises(ReconstructionError, match="does not fit the requested"):
            Epie.open(small, state)


def test_a_frame_beside_the_object_and_a_dark_probe_are_refused(
    small: ReconstructionRequest,
) -> None:
    outside = small.positions_px.copy()
    outside[3] = (200, 10)
    with pytest.raises(ReconstructionError, match="frame 3 does not touch"):
        Epie.open(replace(small, positions_px=outside))
    with pytest.raises(ReconstructionError, match="no signal"):
        Epie.open(replace(small, probe=np.zeros_like(small.probe)))
