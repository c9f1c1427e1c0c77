"""Is it said in one way how much of a comparison is there?"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ptyrun.comparison.counts import Counts
from ptyrun.study import progress, run_notes


@pytest.mark.parametrize(
    ("total", "said"), [(1, "0 of 1 chunk"), (2, "0 of 2 chunks"), (0, "0 of 0 chunks")]
)
def test_one_chunk_is_no_chunks(total: int, said: str) -> None:
    assert Counts(8, 0, total, 0).said_of_chunks == said


def test_a_study_says_it_as_well(half_done: Path) -> None:
    assert run_notes.missing_chunks(half_done) == "4 of 14 chunks"
    hub: Any = SimpleNamespace(path=half_done.with_name)
    stage: Any = SimpleNamespace(workspace=half_done.name)
    assert progress.said(hub, stage, (), ("more",)) == "4 of 14 chunks done"
