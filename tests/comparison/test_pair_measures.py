"""Do arms against each other lie as they do on the common ground, and elsewhere as they agree?"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from ptyrun.comparison.common_measures import _on_common_ground
from ptyrun.comparison.measures import Measures
from ptyrun.comparison.pair_measures import (
    BY_UPSTREAM,
    CONJUGATED,
    FEW,
    MOVED_TOGETHER,
    Pairing,
    PairMeasures,
    _agreement,
)
from ptyrun.config import Alignment, EvaluationOptions
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.alignment import CERTAIN
from ptyrun.ptycho.metrics.common_ground import CommonGround
from ptyrun.ptycho.metrics.evaluation import evaluate
from ptyrun.ptycho.metrics.registration import Shift, apply_shift
from tests.ptycho.metrics.test_registration import textured

SIDE = 128
REGION = Region(12, 12, 104, 104)
OPTIONS = EvaluationOptions()
NAMES = ("first", "second")


def noisy(image: np.ndarray, seed: int, strength: float = 0.02) -> np.ndarray:
    generator = np.random.default_rng(seed)
    parts = generator.normal(0, strength, (2, *image.shape))
    return image + parts[0] + 1j * parts[1]


def like(**facts: Any) -> Any:
    return SimpleNamespace(**facts)


class Arms:
    """Two noisy images of one object, the first somewhere else, measured against a reference."""

    def __init__(
        self,
        reference: np.ndarray,
        moved: frozenset[str],
        places: tuple[Shift, Shift] = (Shift(3.4, -2.2), Shift(0.0, 0.0)),
        *,
        is_conjugated: bool = False,
    ) -> None:
        image = textured(1, SIDE)
        images = [
            noisy(apply_shift(image, place), seed)
            for place, seed in zip(places, (2, 3), strict=True)
        ]
        images[1] = images[1].conj() if is_conjugated else images[1]
        covered = np.ones((SIDE, SIDE))
        objects = {
            name: like(image=image.astype(np.complex64), coverage=covered)
            for name, image in zip(NAMES, images, strict=True)
        }
        own = {
            name: Measures.of(
                evaluate(
                    arm.image, reference, covered, OPTIONS, region=REGION, registered=name in moved
                )
            )
            for name, arm in objects.items()
        }
        ground = CommonGround.of(list(own.values()))
        assert ground is not None
        laid = {name: _on_common_ground(ground, each, OPTIONS) for name, each in own.items()}
        self.ground = ground
        self.pairing = Pairing(objects, ground, laid, REGION, OPTIONS, moved, has_reference=True)

    @property
    def as_they_lie(self) -> PairMeasures:
        first, second = (self.pairing.laid[name].recon for name in NAMES)
        return PairMeasures(self.ground.between(first, second, OPTIONS.phase_align))

    @property
    def without_reference(self) -> Pairing:
        return replace(self.pairing, ground=None, laid={}, has_reference=False)


def correlation(found: PairMeasures) -> float:
    value = found.standard.metrics["contrast_correlation"].value
    assert value is not None
    return value


def said(found: PairMeasures) -> str:
    """Why the first was registered to the second."""
    return "".join(note for note in found.standard.notes if note.startswith(MOVED_TOGETHER))


def test_arms_that_agree_with_the_reference_are_compared_as_they_lie_there() -> None:
    arms = Arms(textured(1, SIDE), frozenset(NAMES))
    found = arms.pairing.measured(*NAMES)
    assert correlation(found) > 0.97
    assert found.standard.metrics == arms.as_they_lie.standard.metrics
    assert not said(found)


def test_of_two_arms_of_which_one_is_conjugated_the_pair_says_so() -> None:
    arms = Arms(textured(1, SIDE), frozenset(NAMES), is_conjugated=True)
    for pairing in (arms.pairing, arms.without_reference):
        found = pairing.measured(*NAMES)
        assert correlation(found) < 0.3
        (note,) = [n for n in found.standard.notes if n.startswith(CONJUGATED)]
        said, as_it_is = note.removeprefix(CONJUGATED).split(", and as they are by")
        assert float(said) > 0.95
        assert float(as_it_is) == round(correlation(found), 2)
    alike = Arms(textured(1, SIDE), frozenset(NAMES)).pairing.measured(*NAMES)
    assert not any(note.startswith(CONJUGATED) for note in alike.standard.notes)


def test_an_arm_that_its_own_notes_call_conjugated_is_looked_for_elsewhere_too() -> None:
    places = Shift(0.0, 0.0), Shift(9.0, -6.0)
    arms = Arms(textured(1, SIDE), frozenset({"first"}), places, is_conjugated=True)
    for conjugated in ({"second"}, set()):
        found = replace(arms.pairing, conjugated=conjugated).measured(*NAMES)
        is_told = any(note.startswith(CONJUGATED) for note in found.standard.notes)
        assert is_told == bool(conjugated)


def test_a_wrong_reference_does_not_move_them_apart() -> None:
    arms = Arms(textured(9, SIDE), frozenset(NAMES))
    assert correlation(arms.as_they_lie) < 0.5
    found = arms.pairing.measured(*NAMES)
    assert correlation(found) > 0.97
    assert "the contrast of one correlates by " in said(found)


def test_arms_that_lie_right_by_a_noisy_reference_are_compared_as_they_lie() -> None:
    apart = (Shift(9.4, -9.2), Shift(-9.1, 9.3))  # farther from each other than is looked for
    arms = Arms(noisy(textured(1, SIDE), 5, 0.12), frozenset(NAMES), apart)
    assert all(_agreement(arms.pairing.laid[name].standard) < CERTAIN for name in NAMES)
    found = arms.pairing.measured(*NAMES)
    assert correlation(found) > 0.97
    assert not said(found)


def test_arms_that_are_not_registered_are_not_registered_to_each_other() -> None:
    arms = Arms(textured(1, SIDE), frozenset())
    for pairing in (arms.pairing, replace(arms.pairing, ground=None), arms.without_reference):
        found = pairing.measured(*NAMES)
        assert correlation(found) < 0.5
        assert not said(found)


def test_without_a_reference_one_arm_is_registered_to_the_other() -> None:
    arms = Arms(textured(1, SIDE), frozenset({"first"}))
    found = arms.without_reference.measured(*NAMES)
    assert correlation(found) > 0.97
    assert not said(found)


def test_of_a_small_common_ground_two_arms_have_more() -> None:
    arms = Arms(textured(1, SIDE), frozenset())
    few = np.zeros(arms.ground.covered.shape, bool)
    few[:20, :20] = True
    small = replace(arms.pairing, ground=replace(arms.ground, covered=few))
    whole = arms.without_reference.measured(*NAMES)
    assert small.measured(*NAMES).standard.metrics == whole.standard.metrics


def test_why_arms_are_registered_to_each_other_is_said() -> None:
    arms = Arms(textured(1, SIDE), frozenset(NAMES))
    few = replace(arms.ground, covered=np.zeros_like(arms.ground.covered))
    upstream = replace(OPTIONS, alignment=Alignment.UPSTREAM)
    for pairing, why in (
        (replace(arms.pairing, ground=few), FEW),
        (replace(arms.pairing, ground=None, laid={}), FEW),
        (replace(arms.pairing, options=upstream), BY_UPSTREAM),
    ):
        found = pairing.measured(*NAMES)
        assert correlation(found) > 0.97
        assert said(found) == MOVED_TOGETHER + why
        assert not said(replace(pairing, moved=frozenset()).measured(*NAMES))


def test_what_was_found_of_a_pair_is_read_back_as_it_is() -> None:
    found = Arms(textured(1, SIDE), frozenset()).as_they_lie
    again = PairMeasures.from_finding(found.finding())
    assert again.standard.metrics == found.standard.metrics
    assert again.standard.notes == tuple(found.standard.notes)
