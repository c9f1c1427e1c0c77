"""A sample of what `make faults` does, and: does it notice what it is there for?"""

from __future__ import annotations

from pathlib import Path

from tests.engine.toys import planned, toy_manifest, toy_run
from tests.faults.trial import false_claims


def test_a_claim_without_its_bytes_is_noticed(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(16, 4))
    toy_run(tmp_path)
    assert false_claims(tmp_path) == []
    (tmp_path / "arrays.zarr/one/patches/c.1.0.0").unlink()
    (found,) = false_claims(tmp_path)
    assert "c.1.0.0" in found
