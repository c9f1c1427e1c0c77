"""Are figures named by what they are, and by what they are of?"""

from __future__ import annotations

import pytest

from ptyrun.report.tables import diagnostics_table, heading
from ptyrun.results import ArmResult, Results


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("mae", "MAE"),
        ("weighted_mae", "Weighted MAE"),
        ("weighted_psnr", "Weighted PSNR"),
        ("coherence", "Coherence"),
        ("complex_error", "Complex error"),
        ("frc_half_bit", "FRC ½ bit"),
        ("registration_offset_dy", "Registration offset dy"),
    ],
)
def test_names_of_metrics_begin_alike(metric: str, name: str) -> None:
    assert heading(metric) == name


@pytest.mark.parametrize(
    ("kinds", "given"),
    [
        (["predictor"], "predictions"),
        (["reconstruction"], "reconstructions"),
        (["reconstruction", "predictor"], "predictions and reconstructions"),
    ],
)
def test_diagnostic_figures_are_of_what_arms_gave(kinds: list[str], given: str) -> None:
    arms = {kind: ArmResult(kind, kind, 4, diagnostics={"mean": 1.0}) for kind in kinds}
    results = Results("0" * 64, True, (0, 0, 5, 6), arms)
    assert diagnostics_table(results).caption == f"Absolute values of the {given}"
