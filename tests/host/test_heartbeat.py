"""Is the file of a dead holder taken away, and that of a living one never?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ptyrun.host.heartbeat import BeatingFile, Sight, Watch


def judged_dead(path: Path) -> Watch:
    """Looks at a file whose holder has been silent for long enough."""
    path.write_bytes(b"of a holder that died")
    watch = Watch(path, silent_s=0.0)
    watch.look()
    assert watch.look() is Sight.FREE
    return watch


def test_the_file_of_a_dead_holder_is_taken_away(tmp_path: Path) -> None:
    judged_dead(tmp_path / "x.held").take_away()
    assert not [*tmp_path.iterdir()]


def test_who_took_the_lock_over_a_moment_earlier_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that judge alike, the second one must not take away the file of the first."""
    path = tmp_path / "x.held"
    watch, other, rename = judged_dead(path), BeatingFile(path, None), Path.rename

    def overtaken(self: Path, target: Path) -> Any:
        path.unlink()
        assert other.create()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    watch.take_away()
    assert other.is_there
    assert [*tmp_path.iterdir()] == [path]
    other.remove()
    assert not [*tmp_path.iterdir()]
