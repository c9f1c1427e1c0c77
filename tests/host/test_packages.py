"""Is what packages offer found as it is now?"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from ptyrun.host.packages import entry_points
from tests.packages import lay_out


def test_it_is_what_the_standard_library_finds() -> None:
    found = entry_points("ptyrun.predictors")
    assert {point.name for point in found} >= {"tf", "pytorch", "onnx"}
    assert set(found) == set(importlib.metadata.entry_points(group="ptyrun.predictors"))


def test_a_package_is_found_as_soon_as_it_is_there_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> list[str]:
        return [point.name for point in entry_points("ptyrun.tests")]

    assert names() == []
    monkeypatch.syspath_prepend(str(tmp_path))
    assert names() == []
    lay_out(tmp_path, "late", "[ptyrun.tests]\nlate = late:Late\n", {})
    assert names() == ["late"]
    (metadata,) = tmp_path.glob("late-*")
    shutil.rmtree(metadata)
    assert names() == []
