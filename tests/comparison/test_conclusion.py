from __future__ import annotations

from dataclasses import replace

import pytest

from ptyrun.comparison.conclusion import conclusion
from ptyrun.frame_results import CountingNoise
from ptyrun.results import (
    ArmResult,
    CommonRegion,
    Difference,
    HalvesResult,
    Interval,
    Metric,
    OwnRegion,
    PairResult,
    Resampling,
    Results,
)  # fmt: skip


def arm(label: str, error: float, r_factor: float) -> ArmResult:
    standard = {
        "complex_error": Metric(value=error), "r_factor": Metric(value=r_factor),
        "frc50": Metric(value=0.5),
    }  # fmt: skip
    half = {"frc50": Metric(value=10.0)}
    return ArmResult(label, "predictor", 4, standard=standard, half_period=half)


RESULTS = Results(
    "0" * 64,
    has_ground_truth=True,
    evaluated_region_px=(0, 0, 50, 60),
    arms={"a": arm("A", 0.3, 0.15), "b": arm("B", 0.1, 0.2), "c": arm("C", 0.12, 0.3)},
    common=CommonRegion((0, 0, 50, 60), 2900, 5),
    truth={"r_factor": Metric(value=0.125)},
    pixel_size_m=5e-9,
)


def said(results: Results, reference: str = "Ground truth") -> dict[str, str]:
    lines = conclusion(results, reference)
    assert len(lines) == 5
    return {line.name: line.text for line in lines}


def test_it_says_who_is_nearest_by_how_much_where_and_how_well() -> None:
    found = said(RESULTS)
    assert found["Nearest to the ground truth"] == (
        "B, with a relative error of the complex field of 0.1000; C 0.1200 (+0.0200); "
        "A 0.3000 (+0.2000)"
    )
    assert found["Measured on"] == "the 2900 px that all arms cover in 50 x 60 px"
    assert found["R-factor"] == "A 0.1500, B 0.2000, C 0.3000, the ground truth itself 0.1250"
    assert "the R-factor prefers A" in found["How sure"]
    assert "no interval is known" in found["How sure"]
    assert found["Resolution"].startswith("A 10 nm, 0.500 of Nyquist, B 10 nm")


def test_beside_r_factors_stands_what_counting_noise_alone_would_leave() -> None:
    told = replace(RESULTS, counting_noise=CountingNoise(0.12, "objectGuess", "whole numbers"))
    assert said(told)["R-factor"].endswith(
        "itself 0.1250, counting noise alone: 0.1200 (of the ground truth’s frames)"
    )
    bare = replace(RESULTS, has_ground_truth=False, has_reference=True)
    of_an_arm = replace(bare, counting_noise=CountingNoise(0.12, "a", "whole numbers"))
    assert (
        "counting noise alone: about 0.1200 (estimated from frames as A has them: too high if "
        "that object is noisy, too low if it is blurred)"
    ) in said(of_an_arm, "Reference")["R-factor"]
    above = replace(bare, counting_noise=CountingNoise(0.16, "a", "whole numbers"))
    assert (
        "blurred; A leaves less, so that is too high, or it fits noise)"
        in (said(above, "Reference")["R-factor"])
    )
    of_it = replace(bare, counting_noise=CountingNoise(0.12, "objectGuess", "whole numbers"))
    assert (
        "about 0.1200 (estimated from frames as the reference has them"
        in (said(of_it, "Reference")["R-factor"])
    )
    untold = replace(RESULTS, counting_noise=CountingNoise(why_none="photons are not known"))
    assert said(untold)["R-factor"].endswith("alone: not known (photons are not known)")


@pytest.mark.parametrize(("first", "second", "sign"), [("b", "c", -1), ("c", "b", 1)])
@pytest.mark.parametrize(("low", "high"), [(0.005, 0.035), (-0.01, 0.05)])
def test_intervals_tell_whether_the_best_is_more_than_chance(
    first: str, second: str, sign: int, low: float, high: float
) -> None:
    ends = sorted((sign * low, sign * high))
    difference = Difference(first, second, {"complex_error.value": Interval(*ends)})
    blocks = Resampling(0.95, 1000, 0, block_px=8, n_blocks=45)
    found = said(replace(RESULTS, differences=(difference,), resampling=blocks))
    name = "Nearest to the ground truth" + (", within chance" if low < 0 else "")
    shown = f"{low:.4f}".replace("-", "\u2212")
    assert f"C 0.1200 (+0.0200, between {shown} and {high:.4f})" in found[name]
    assert found["How sure"].startswith(
        "95% intervals by a bootstrap of 45 blocks of 8 px; B and C"
    )
    assert ("differ by more than chance" in found["How sure"]) is (low > 0)
    assert ("are not distinguished" in found["How sure"]) is (low < 0)


def test_without_a_reference_the_arms_are_held_against_each_other() -> None:
    arms = {
        name: ArmResult(name.upper(), "predictor", 4, standard={"r_factor": Metric(value=0.2)})
        for name in "ab"
    }
    halves = HalvesResult({"frc50": Metric(value=0.4)}, {}, 1.0, 0.0)
    arms["a"] = replace(arms["a"], halves=halves)
    standard = {"coherence": Metric(value=0.9), "frc50": Metric(value=0.25)}
    alone = replace(
        RESULTS, arms=arms, pairs=(PairResult("a", "b", standard),), has_ground_truth=False,
        common=None, truth={},
    )  # fmt: skip
    found = said(alone, "Reference")
    assert found["Agreement of the arms"] == "A – B: coherence 0.9000"
    assert found["Resolution"].startswith("A – B 20 nm, 0.250 of Nyquist")
    assert found["Resolution"].endswith("halves of one network agree up to: A 0.400 of Nyquist")


def test_nothing_known_is_said_so() -> None:
    bare = replace(RESULTS, arms={"a": ArmResult("A", "predictor", 4)}, common=None, truth={})
    found = said(replace(bare, has_ground_truth=False))
    assert found["R-factor"] == found["Resolution"] == "not known"
    assert found["Agreement of the arms"] == "there is one arm and nothing to compare it with"


def test_arms_without_common_pixels_are_said_each_on_its_own() -> None:
    own = {"complex_error": Metric(value=0.0261)}
    arms = {
        "a": ArmResult("A", "predictor", 4, own=OwnRegion(0.5, (0, 0, 50, 60), own)),
        "b": ArmResult("B", "predictor", 4, own=OwnRegion(0.00001, (0, 0, 50, 60))),
    }
    found = said(replace(RESULTS, common=None, arms=arms))
    assert found["Against the ground truth, not ranked"] == (
        "the arms cover too few pixels in common; each on its own: A 0.0261, B –"
    )
    assert found["Measured on"] == "50 × 60 px, covered: A 50.0%, B < 0.1%"


def test_without_a_reference_intervals_are_those_of_r_factors() -> None:
    of_frames = Resampling(0.95, 1000, 7, frame_block_px=16, n_frame_blocks=30)
    both = Difference("a", "b", {"r_factor.value": Interval(-0.02, -0.01)})
    bare = {
        name: replace(arm, standard={"r_factor": arm.standard["r_factor"]})
        for name, arm in RESULTS.arms.items()
    }
    none = replace(RESULTS, has_ground_truth=False, common=None, arms=bare)
    found = said(replace(none, resampling=of_frames, differences=(both,)))
    assert found["How sure"] == (
        "95% intervals of the R-factor by a bootstrap of 30 blocks of frames; "
        "A and B differ by more than chance"
    )


def test_every_arm_has_its_resolution_or_the_reason_why_it_has_none() -> None:
    whys = {"a": "holes", "b": "holes", "c": ""}
    arms = {
        name: replace(arm, undefined={"frc50.value": whys[name]} if whys[name] else {})
        for name, arm in RESULTS.arms.items()
    }
    found = said(replace(RESULTS, arms=arms))["Resolution"]
    assert found.startswith("C 10 nm, 0.500 of Nyquist (half period")
    assert found.endswith("; A, B cannot be told (holes)")
    pair = PairResult("a", "b", {"frc50": Metric()}, undefined={"frc50.value": "holes"})
    bare = {name: ArmResult(name.upper(), "predictor", 4) for name in "ab"}
    none = replace(RESULTS, arms=bare, has_ground_truth=False, common=None, pairs=(pair,))
    assert said(none)["Resolution"] == "A – B cannot be told (holes)"


def test_an_r_factor_that_cannot_be_told_has_its_reason() -> None:
    arms = {
        name: replace(arm, standard={}, undefined={"r_factor.value": "there is no probe"})
        for name, arm in RESULTS.arms.items()
    }
    found = said(replace(RESULTS, arms=arms, truth={}))
    assert found["R-factor"] == "A, B, C cannot be told (there is no probe)"


@pytest.mark.parametrize(("high", "name"), [(-0.01, ""), (0.01, ", within chance")])
def test_without_a_truth_the_arm_comes_first_that_explains_the_frames(
    high: float, name: str
) -> None:
    difference = Difference("a", "b", {"r_factor.value": Interval(-0.07, high)})
    arms = {
        name: replace(RESULTS.arms[name], standard={"r_factor": Metric(value=value)})
        for name, value in (("a", 0.15), ("b", 0.2))
    }
    pair = PairResult("a", "b", {"coherence": Metric(value=0.9)})
    none = replace(
        RESULTS, arms=arms, has_ground_truth=False, common=None, truth={}, pairs=(pair,),
        differences=(difference,),
    )  # fmt: skip
    found = said(none)
    low = f"{-high:.4f}".replace("-", "\u2212")
    assert found[f"Fits the frames best{name}"] == (
        f"A, with an R-factor of 0.1500; B 0.2000 (+0.0500, between {low} and 0.0700); "
        "agreement: A – B: coherence 0.9000"
    )
    assert found["Measured on"] == "what arms cover of 50 × 60 px"
