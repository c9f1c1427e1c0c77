"""Does a sweep leave a hub whole?"""

from __future__ import annotations

from pathlib import Path

from tests.commands import ptyrun


def test_a_hub_with_a_sweep_is_verified_as_before(hub: Path) -> None:
    said = ptyrun("study", "sweep", "--hub", str(hub))
    assert said.returncode == 0, said.stderr
    assert "wrote analysis/sweep/dose.html" in said.stdout
    assert "analysis/sweep/dose.html" in (hub / "analysis/artifact_inventory.txt").read_text()
    assert ptyrun("study", "verify", "--hub", str(hub)).returncode == 0
