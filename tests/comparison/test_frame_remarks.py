"""What do R-factors tell, of which frames are they, and what do they not tell?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ptyrun.comparison.conclusion import conclusion
from ptyrun.comparison.frame_remarks import NOTHING_IN_COMMON, frames_of, remarks
from ptyrun.comparison.metrics_table import metrics_table
from ptyrun.frame_results import CountingNoise, FrameFigures
from ptyrun.results import ArmResult, Metric, Results

DOUBT = "its objectGuess explains the frames better with the zero frequency in the corner"


def arm(
    label: str,
    r_factor: float,
    fourier_error: float,
    frames: FrameFigures | None = None,
    *,
    error: float = 0.1,
) -> ArmResult:
    standard = {
        "r_factor": Metric(value=r_factor),
        "fourier_error": Metric(value=fourier_error),
        "complex_error": Metric(value=error),
    }
    return ArmResult(label, "predictor", 4, standard=standard, frames=frames)


def results(*arms: ArmResult, truth: tuple[float, float] = (0.4, 0.0033)) -> Results:
    return Results(
        "0" * 64,
        has_ground_truth=True,
        evaluated_region_px=(0, 0, 50, 60),
        arms={found.label.lower(): found for found in arms},
        truth={"r_factor": Metric(value=truth[0]), "fourier_error": Metric(value=truth[1])},
    )


def said(found: Results) -> str:
    return "\n".join(remarks(found))


def test_a_better_fit_than_the_truths_is_told_by_both_figures_of_the_frames() -> None:
    found = said(results(arm("A", 0.3, 0.0030), arm("B", 0.27, 0.0035)))
    assert "A fits the frames better than the ground truth does" in found
    assert "B has a lower R-factor than the ground truth, but no lower Fourier error" in found
    assert "so a better fit does not make a better object here: it may fit noise" in found
    several = said(results(arm("A", 0.3, 0.0030), arm("B", 0.27, 0.0031), arm("C", 0.6, 0.1)))
    assert "B, A fit the frames better" in several
    assert "no lower Fourier error" not in several
    assert said(results(arm("A", 0.5, 0.1))) == ""


def test_a_reference_that_fits_worse_may_be_the_worse_object() -> None:
    found = replace(results(arm("A", 0.3, 0.0030)), has_ground_truth=False, has_reference=True)
    assert said(found) == (
        "A fits the frames better than the reference does, which may be the worse object"
    )


def test_frames_are_mostly_noise_only_where_counting_noise_is_as_much() -> None:
    bare = results(arm("A", 1.1, 0.5), truth=(0.9, 0.4))
    noisy = replace(bare, counting_noise=CountingNoise(0.85, "objectGuess", "counts"))
    assert said(noisy).startswith("the frames are mostly noise: with the ground truth itself 0.90")
    clear = replace(bare, counting_noise=CountingNoise(0.1, "objectGuess", "counts"))
    assert "mostly noise" not in said(clear)
    assert "the scan is at fault" in said(clear)
    assert "noise would leave 0.10" in said(clear)
    assert "mostly noise, or the scan or its ground truth is at fault" in said(bare)


def test_a_doubtful_scan_is_named_instead_of_what_r_factors_would_mean() -> None:
    bare = results(arm("A", 0.8, 0.2), truth=(0.9, 0.4))
    doubtful = replace(bare, doubts=(DOUBT, NOTHING_IN_COMMON))
    assert said(doubtful).startswith("R-factors tell nothing before the doubts about the scan")
    assert "noise" not in metrics_table(doubtful)
    lines = {line.name: line.text for line in conclusion(doubtful, "Ground truth")}
    assert "doubts about the scan" in lines["R-factor"]
    assert "noise" not in lines["R-factor"]
    apart = replace(doubtful, arms={"a": arm("A", 0.95, 0.2), "b": arm("B", 0.92, 0.3, error=0.2)})
    lines = {line.name: line.text for line in conclusion(apart, "Ground truth")}
    assert "prefers" not in lines["How sure"]
    lines = {line.name: line.text for line in conclusion(replace(apart, doubts=()), "Ground truth")}
    assert "the R-factor prefers B" in lines["How sure"]
    assert "mostly noise" in said(replace(bare, doubts=(NOTHING_IN_COMMON,)))


def frames(n: int, common: int, own: int, *, is_common: bool = True) -> FrameFigures:
    return FrameFigures(n, common, own, 195, is_common)


@pytest.mark.parametrize(
    ("of_arms", "expected"),
    [
        ([frames(195, 195, 195)] * 2, "over all 195 frames"),
        ([frames(63, 63, 80)] * 2, "over 63 of 195 frames, which all arms cover"),
        ([frames(63, 63, 63)], "over 63 of 195 frames, which A covers"),
        ([frames(50, 63, 80)] * 2, "over 50 of the 63 frames that all arms cover, of 195"),
        (
            [frames(12, 2, 12, is_common=False), frames(40, 2, 40, is_common=False)],
            "over frames that each arm covers itself: A 12, B 40 of 195",
        ),
        ([frames(0, 0, 0)], ""),
        ([None], ""),
    ],
)
def test_r_factors_say_over_which_frames_they_are(
    of_arms: list[FrameFigures | None], expected: str
) -> None:
    found = results(
        *(arm(label, 0.5, 0.1, each) for label, each in zip("ABC", of_arms, strict=False))
    )
    assert frames_of(found) == expected
    lines = {line.name: line.text for line in conclusion(found, "Ground truth")}
    assert expected in lines["R-factor"]
    if expected:
        assert f"R-factors are {expected}" in metrics_table(found)


def test_an_r_factor_above_one_is_remarked_upon() -> None:
    found = results(arm("A", 0.45, 0.1), arm("C", 1.25, 0.9))
    assert said(found) == ("C has an R-factor above 1: worse than no model at all, which has 1")
    assert said(found) in metrics_table(found)


FEW = "at few counts a right object may be as bad"


def without_truth(*arms: ArmResult, noise: float | None = None) -> Results:
    counting = None if noise is None else CountingNoise(noise, "a", "counts")
    return replace(results(*arms), truth={}, counting_noise=counting)


@pytest.mark.parametrize(
    "found",
    [
        without_truth(arm("A", 0.36, 0.1), arm("C", 1.27, 0.9)),
        without_truth(arm("C", 1.27, 0.9), noise=0.02),
    ],
    ids=["another arm explains them", "counting noise is little"],
)
def test_few_counts_excuse_no_r_factor_where_the_frames_can_be_explained(found: Results) -> None:
    assert said(found) == "C has an R-factor above 1: worse than no model at all, which has 1"


@pytest.mark.parametrize(
    "found",
    [
        without_truth(arm("A", 0.97, 0.7), arm("C", 1.05, 0.9)),
        without_truth(arm("C", 1.05, 0.9), noise=0.9),
        without_truth(arm("A", 0.6, 0.7), arm("C", 1.05, 0.9), noise=0.9),
        without_truth(arm("C", 1.05, 0.9)),
    ],
)
def test_few_counts_may_excuse_an_r_factor_where_nothing_speaks_against_it(found: Results) -> None:
    assert said(found).endswith(FEW)
