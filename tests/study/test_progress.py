"""What does a stage say that was left in the middle?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.study.hub import Hub
from ptyrun.study.progress import said
from ptyrun.study.stage import Stage


@pytest.mark.parametrize(
    ("after", "text"),
    [([], "nothing new is kept"), (["a"], "1 part more kept"), (["a", "b"], "2 parts more kept")],
)
def test_it_counts_the_parts_that_are_kept(after: list[str], text: str, tmp_path: Path) -> None:
    stage = Stage.__new__(Stage)
    object.__setattr__(stage, "workspace", "")
    assert said(Hub(tmp_path), stage, [], after) == text
