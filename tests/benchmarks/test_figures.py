"""Are figures taken and judged as the bench says?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Figure, compared, in_turns, summed_up

ROOT = Path(__file__).resolve().parents[2]


def test_candidates_take_turns_in_an_order_that_turns_around() -> None:
    order: list[str] = []
    seconds = in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3)
    assert "".join(order) == "abbaab"
    assert [len(values) for values in seconds.values()] == [3, 3]


def test_ratios_are_taken_round_by_round() -> None:
    figure = compared("x", (2.0, 9.0, 8.0), (1.0, 3.0, 1.0), aim=2.9, note="sizes")
    assert (figure.value, figure.met) == (3.0, False)
    assert figure.note == "fastest rounds 2 x; sizes"


def test_a_figure_is_the_median_with_its_quartiles() -> None:
    figure = summed_up("x", (5.0, 1.0, 2.0, 4.0, 3.0), "s", aim=3.0)
    assert (figure.value, figure.spread, figure.met) == (3.0, (2.0, 4.0), True)


def test_an_aim_is_missed_from_the_first_bit_above_it() -> None:
    assert Figure("x", 1.0500001, "x", aim=1.05).met is False
    assert Figure("x", 1.0, "x").met is None


def test_the_driver_prints_a_table_and_writes_the_figures(tmp_path: Path) -> None:
    json_path = tmp_path / "bench.json"
    words = ["stitching", "--quick", "--rounds=2", f"--json={json_path}", f"--scratch={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(json_path.read_text(encoding="utf-8"))
    (figure,) = document["figures"]["stitching"]
    assert document["schema"] == 1
    assert figure["value"] > 0
    assert "crop 20" in figure["name"]
    assert "stitching" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
