from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ptyrun.comparison import ring_curves
from ptyrun.ptycho.metrics import frc
from ptyrun.ptycho.metrics.standard_metrics import TRUTH_THRESHOLDS, correlations

RNG = np.random.default_rng(5)
FIELD = np.exp(1j * RNG.normal(size=(64, 70)) * 0.3)
FOUND = correlations(FIELD + 0.1 * RNG.normal(size=(64, 70)), FIELD, np.ones((64, 70), bool))


def test_curves_come_back_from_their_table_as_they_were_measured(tmp_path: Path) -> None:
    written = list(ring_curves.curves_of("pinn", ring_curves.REFERENCE, FOUND))
    written.append(replace(written[0], second="baseline", low=written[0].correlation - 0.1,
                           high=written[0].correlation + 0.1))  # fmt: skip
    path = tmp_path / "frc_curves.csv"
    ring_curves.write(path, written)
    again = ring_curves.read(path)
    assert [(c.first, c.second, c.quantity) for c in again] == [
        ("pinn", "reference", "amplitude"), ("pinn", "reference", "phase"),
        ("pinn", "reference", "field"), ("pinn", "baseline", "amplitude"),
    ]  # fmt: skip
    for before, after in zip(written, again, strict=True):
        for name in ("frequencies", "correlation", "n_pixels", "low", "high", "transfer"):
            assert np.array_equal(getattr(before, name), getattr(after, name)), name
    field = again[2].rings
    assert frc.crossing(field, TRUTH_THRESHOLDS["frc50"]) == frc.crossing(
        FOUND.field, TRUTH_THRESHOLDS["frc50"]
    )


def test_curves_have_intervals_and_the_transfer_of_contrast() -> None:
    """A field of which 0.7 of the contrast is left at every frequency."""
    faint = FIELD.mean() + 0.7 * (FIELD - FIELD.mean())
    found = correlations(faint, FIELD, np.ones(FIELD.shape, bool))
    *_, field = ring_curves.curves_of("arm", ring_curves.REFERENCE, found)
    assert field.transfer[2:] == pytest.approx(0.7, abs=1e-6)
    assert field.power_ratio[2:] == pytest.approx(0.49, abs=1e-6)
    *_, field = ring_curves.curves_of("arm", ring_curves.REFERENCE, FOUND)
    inside = (field.low <= field.correlation + 1e-9) & (field.correlation <= field.high + 1e-9)
    assert inside[1:].all()


def test_a_curve_that_is_not_there_stays_unknown(tmp_path: Path) -> None:
    unknown = replace(FOUND, phase=frc.unknown(FOUND.phase))
    ring_curves.write(tmp_path / "c.csv", ring_curves.curves_of("a", "b", unknown))
    amplitude, phase, _ = ring_curves.read(tmp_path / "c.csv")
    assert np.isfinite(amplitude.correlation).all()
    assert np.isnan(phase.correlation).all()


@pytest.mark.parametrize(
    "text",
    ["", "\0", "first,second\na,b\n", "first,second,quantity,frequency_nyquist,correlation,"
     "n_pixels,low,high\na,b,field,0,1,nan,,\n", "first\n\x00"],
)  # fmt: skip
def test_another_table_is_no_curve(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.csv").write_text(text)
    assert ring_curves.read(tmp_path / "c.csv") == ()
    assert ring_curves.read(tmp_path / "absent.csv") == ()
