"""Growth is judged as the bench says: what does not grow in proportion is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.figures import Figure
from benchmarks.growth_plot import Point, draw
from benchmarks.scale import CHUNKS, GROUPS, MEMORY_AIM, figures, measured

STAGES = ("plan", "run", "status", "next chunk", "read ledger", "verify", "preview", "finalize")


def points(cpu_s: Callable[[int], float], mib: Callable[[int], float]) -> list[Point]:
    sizes = {"groups": GROUPS, "chunks": CHUNKS}
    return [
        Point(series, n, stage, cpu_s(n), 2 * cpu_s(n), mib(n))
        for series, each in sizes.items()
        for n in each
        for stage in (*STAGES, "finalize again", "report")
    ]


def judged(found: list[Figure], what: str) -> set[bool | None]:
    return {figure.met for figure in found if what in figure.name}


def test_time_in_proportion_and_flat_memory_meet_their_aims() -> None:
    found = figures(points(lambda n: 1 + 1e-4 * n, lambda n: 100.0))
    assert judged(found, "time each") == {True}
    assert judged(found, "groups: memory") == {True}


def test_time_that_grows_faster_and_memory_that_grows_do_not() -> None:
    found = figures(points(lambda n: 1 + 1e-9 * n**2, lambda n: 100 + n / 1000))
    assert judged(found, "time each") == {False}
    assert judged(found, "groups: memory") == {False}


def test_the_curves_are_drawn_on_logarithmic_axes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scale.png"
    draw(points(lambda n: 1 + 1e-4 * n, lambda n: 100.0), path)
    with Image.open(path) as image:
        assert image.size == (1100, 770)


@pytest.mark.slow
def test_half_a_million_groups_are_planned_in_a_tenth_more_memory_than_5000(tmp_path: Path) -> None:
    few, many = (
        measured(tmp_path / str(n), "groups", n, ["plan"])[0].mib for n in (5_000, 500_000)
    )
    assert many <= MEMORY_AIM * few, f"{many:.1f} over {few:.1f} MiB"
