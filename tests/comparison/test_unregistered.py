"""Is it said of an arm that it was left where it lies?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ptyrun.comparison import page_notes
from ptyrun.comparison.measures import Measures, measure
from ptyrun.comparison.metrics_table import metrics_table
from ptyrun.comparison.pair_measures import Pairing
from ptyrun.comparison.pictures import scene
from ptyrun.config import Alignment, EvaluationOptions, Presentation, Registration
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.report.plots import comparison_figure
from ptyrun.results import ArmResult, Metric, Results
from tests.ptycho.metrics.test_registration import textured

SIDE = 96
REGION = Region(8, 8, 80, 80)
TRUTH = textured(1, SIDE).astype(np.complex64)
SKIPPED = "not registered: --skip-registration"
ONLY_FINISHED = "not registered: --register-ptychi-only"


def measured(
    kind: str, registration: Registration, alignment: Alignment = Alignment.EXACT
) -> Measures:
    image = np.roll(TRUTH, (3, -2), (0, 1))
    plan: Any = SimpleNamespace(kind=kind)
    arm: Any = SimpleNamespace(image=image, canvas=image, coverage=np.ones(image.shape))
    options = EvaluationOptions(registration=registration, alignment=alignment)
    return measure(plan, arm, TRUTH, REGION, options, Noise.FIRST)


@pytest.mark.parametrize("alignment", list(Alignment))
@pytest.mark.parametrize(
    ("kind", "registration", "said"),
    [
        ("predictor", Registration.NONE, SKIPPED),
        ("reconstruction", Registration.NONE, SKIPPED),
        ("predictor", Registration.RECONSTRUCTION_ONLY, ONLY_FINISHED),
        ("reconstruction", Registration.RECONSTRUCTION_ONLY, None),
        ("predictor", Registration.ALL, None),
    ],
)
def test_an_arm_that_is_not_registered_as_was_asked_says_so(
    kind: str, registration: Registration, said: str | None, alignment: Alignment
) -> None:
    found = measured(kind, registration, alignment)
    expected = () if said is None else (said,)
    assert tuple(note for note in found.notes if "not registered" in note) == expected
    assert tuple(note for note in found.registration_notes if "registered" in note) == expected
    assert (found.shift is None) is (said is not None)
    assert not [note for note in found.as_standard.notes if "not registered" in note]


def test_a_pair_that_is_not_registered_as_was_asked_says_so() -> None:
    arm: Any = SimpleNamespace(image=TRUTH, coverage=np.ones(TRUTH.shape))
    options = EvaluationOptions(registration=Registration.NONE)
    for moved, said in ((set[str](), True), ({"a"}, False)):
        pairing = Pairing(
            {"a": arm, "b": arm}, None, {}, REGION, options, moved, has_reference=False
        )
        assert (SKIPPED in pairing.measured("a", "b").standard.notes) is said


def results(notes: dict[str, tuple[str, ...]]) -> Results:
    offsets = {f"registration_offset_{axis}": Metric(value=0.0) for axis in ("dy", "dx")}
    arms = {
        name: ArmResult(name.upper(), "predictor", 4, metrics=offsets, notes=said)
        for name, said in notes.items()
    }
    return Results("0" * 64, True, (0, 0, SIDE, SIDE), arms)


def test_its_panel_has_no_offset() -> None:
    featureless = "not registered: nothing to register on, the arm is nearly constant"
    found = results({"a": (SKIPPED,), "b": (), "c": (featureless,)})
    arrays: dict[str, np.ndarray] = {}
    for name in found.arms:
        arrays[f"{name}/aligned"] = arrays[f"{name}/aligned_truth"] = TRUTH
        arrays[f"{name}/object"], arrays[f"{name}/coverage"] = TRUTH, np.ones(TRUTH.shape)
    for alignment in Alignment:
        shown = scene(found, Presentation(), alignment, arrays.get)
        assert shown is not None
        titles = [axes.get_title() for axes in comparison_figure(shown).axes]
        assert [title for title in titles if title][:3] == [
            "A\nnot registered",
            "B\noffset dy +0.00 px, dx +0.00 px",
            "C\nnot registered",
        ]


def test_the_page_says_it_once_and_the_console_of_each_arm() -> None:
    found = results({"a": (ONLY_FINISHED, "the probe was not used"), "b": (ONLY_FINISHED,)})
    notes = [(said.label, said.text) for said in page_notes.notes(found)]
    assert ("A, B", ONLY_FINISHED) in notes
    assert ("A", "the probe was not used") in notes
    assert f"B: {ONLY_FINISHED}" in metrics_table(found).splitlines()
