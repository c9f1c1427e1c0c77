"""Are tables written as people and older tools read them?"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from ptyrun.comparison import outputs
from ptyrun.comparison.metrics_table import metrics_table
from ptyrun.report import tables
from ptyrun.resolutions import bounds
from ptyrun.results import Metric, Results
from tests.stages import finished_run


def results(folder: Path) -> Results:
    found = Results.load(finished_run.write(folder / "run").results)
    metrics = {"mae": Metric(0.25, 0.5), "one": Metric(value=3.0), "none": Metric(None, None)}
    arms = {
        name: replace(found.arms[name], metrics=metrics, standard={}, own=None)
        for name in ("pinn",)
    }
    arms["baseline"] = replace(
        found.arms["baseline"], metrics={"mae": Metric(1, None)}, standard={}, own=None
    )
    return replace(found, arms=arms)


def test_the_table_on_the_terminal_has_one_line_for_each_metric(tmp_path: Path) -> None:
    table = metrics_table(results(tmp_path)).splitlines()
    assert table[:4] == [
        "amplitude / phase       PtychoPINN    Baseline",
        "mae                0.2500 / 0.5000  1.0000 / -",
        "one                         3.0000",
        "none                             -",
    ]


def test_a_row_has_one_kind_of_figure_and_tells_agreement_from_what_is_not_known(
    tmp_path: Path,
) -> None:
    found = results(tmp_path)
    of_arms = (
        {"frc50": Metric(0.4, 0.5, 1.0), "mae": Metric(0.1, None)},
        {"frc50": Metric(0.3, 0.2, 0.25), "mae": Metric(0.2, 0.3)},
    )
    arms = {
        name: replace(arm, metrics={}, standard=standard, at_least=bounds(standard))
        for (name, arm), standard in zip(found.arms.items(), of_arms, strict=True)
    }
    rows = metrics_table(replace(found, arms=arms)).splitlines()
    assert [row.split() for row in rows[1:3]] == [
        ["standard_mae", "0.1000", "/", "-", "0.2000", "/", "0.3000"],
        ["standard_frc50", "≥", "1", "0.2500"],
    ]
    first = next(iter(arms))
    unknown = {"frc50": Metric(0.4, 0.5, None)}
    why = {"frc50.value": "holes"}
    arms[first] = replace(arms[first], standard=unknown, undefined=why, at_least=())
    assert metrics_table(replace(found, arms=arms)).splitlines()[2].split()[1:] == ["n/a", "0.2500"]


def test_results_that_a_file_gives_back_make_the_same_table(tmp_path: Path) -> None:
    found = results(tmp_path)
    measured = {name: Metric(value=1.0) for name in ("mae", "psnr", "ssim", "frc50", "of_later")}
    standard = {name: Metric(value=2.0) for name in ("ssim", "coherence", "r_factor")}
    found = replace(
        found,
        arms={
            name: replace(arm, metrics=measured, standard=standard)
            for name, arm in found.arms.items()
        },
    )
    path = tmp_path / "results.json"
    path.write_text(found.to_json())
    again = Results.load(path)
    again = replace(again, arms={name: again.arms[name] for name in found.arms})
    assert metrics_table(again) == metrics_table(found)
    rows = [line.split()[0] for line in metrics_table(again).splitlines()]
    assert rows[1:4] == ["mae", "psnr", "ssim"]


def test_a_table_of_metrics_names_what_is_not_known_by_nothing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    outputs.write_metrics_csv(path, results(tmp_path))
    assert path.read_text().splitlines() == [
        "model,metric,amplitude,phase,value",
        "PtychoPINN,mae,0.250000,0.500000,",
        "PtychoPINN,one,,,3.000000",
        "PtychoPINN,none,,,",
        "Baseline,mae,1.000000,,",
    ]


def test_a_shorter_curve_leaves_its_rings_empty_and_a_label_is_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "frc.csv"
    outputs.write_frc_csv(path, "=A", np.array([1.0, math.nan, 0.5]), np.array([1.0]))
    assert path.read_text().splitlines() == [
        "model,frequency_bin,amplitude_frc,phase_frc",
        "'=A,0,1.000000,1.000000",
        "'=A,1,,",
        "'=A,2,0.500000,",
    ]


def test_what_cannot_be_told_is_no_agreement_up_to_nyquist_and_has_its_reason(
    tmp_path: Path,
) -> None:
    found = results(tmp_path)
    standard = {
        "frc50": Metric(1.0, 0.5, 0.5),
        "frc_half_bit": Metric(None, 0.2241, 1.0),
        "r_factor": Metric(),
        "phase_defined_share": Metric(phase=1.0),
    }
    undefined = {"frc_half_bit.amplitude": "holes", "r_factor.value": "there is no probe"}
    arm = replace(found.arms["pinn"], metrics={"frc50": Metric(31.0, 4.0)}, standard=standard)
    arm = replace(arm, undefined=undefined, at_least=bounds(standard))
    found = replace(found, arms={"pinn": arm})
    lines = [" ".join(line.split()) for line in metrics_table(found).splitlines()]
    assert lines[1:] == [
        "frc50 31.0000 / 4.0000",
        "standard_phase_defined_share - / 1.0000",
        "standard_frc50 0.5000",
        "standard_frc_half_bit ≥ 1",
        "standard_r_factor n/a",
        "n/a for PtychoPINN: standard frc_half_bit of the amplitude: holes",
        "n/a for PtychoPINN: standard r_factor: there is no probe",
    ]
    rows = {f"{r.heading} {r.component}".strip(): r for r in tables.standard_table(found).rows}
    assert [rows[name].cells[0].text for name in ("FRC50 amplitude", "FRC ½ bit amplitude")] == [
        "≥ 1",
        "n/a",
    ]
    assert tables.standard_table(found).reasons == ("holes", "there is no probe")
    cell = rows["R-factor"].cells[0]
    assert (cell.text, cell.note) == ("n/a", 2)


def test_tables_say_what_their_thresholds_pairs_and_pixels_are(tmp_path: Path) -> None:
    found = Results.load(finished_run.write(tmp_path / "run").results)
    assert "1/7" not in tables.standard_table(found).text, "thresholds are those of two images"
    of_truth = {
        name: replace(arm, frc_thresholds="one noisy image against a noise-free one")
        for name, arm in found.arms.items()
    }
    assert "1/7 becomes 0.5" in tables.standard_table(replace(found, arms=of_truth)).text
    first, *_ = found.arms
    before = found.arms[first].own
    assert before is not None
    elsewhere = replace(before, standard={"mae": Metric(0.5, 0.5)})
    arms = {**found.arms, first: replace(found.arms[first], own=elsewhere)}
    own = tables.own_table(replace(found, arms=arms))
    assert own.columns == (found.arms[first].label,)
    others = ", ".join(arm.label for name, arm in found.arms.items() if name != first)
    assert own.text == f"Of {others} these are the pixels compared above."
    assert "the first is registered to the second" in tables.pair_table(found).text


def test_an_archive_gives_back_the_arrays_and_says_what_they_are(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    arrays = {
        "field": (generator.normal(size=(9, 7)) + 1j).astype(np.complex64),
        "none": np.array(np.nan),
        "columns": np.asfortranarray(generator.normal(size=(4, 5))),
    }
    outputs.write_npz(tmp_path / "found.npz", arrays, "What was found.")
    with np.load(tmp_path / "found.npz", allow_pickle=False) as read:
        assert set(read.files) == set(arrays)
        for name, array in arrays.items():
            assert read[name].dtype == array.dtype
            assert np.array_equal(read[name], array, equal_nan=True)
    assert "field: (9, 7) complex64" in (tmp_path / "found_metadata.txt").read_text()
