"""Are looks at a run, and sessions beside its writer, counted by what they did to its ledger?"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import beside
from benchmarks.figures import Scale


@pytest.mark.slow
def test_no_commit_is_forgotten_beside_others(tmp_path: Path) -> None:
    found = beside.measure(Scale(rounds=1, quick=True, scratch=tmp_path, shared=tmp_path))
    assert [figure.value for figure in found] == [0, 0, 0], found
    assert "2 sessions begun" in found[0].note
