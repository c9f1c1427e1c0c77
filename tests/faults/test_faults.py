"""A sample of what `make faults` does, and: does it notice what it is there for?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.toys import planned, toy_manifest, toy_run
from tests.faults.disk import reason_for_none
from tests.faults.trial import false_claims

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(bool(reason_for_none()), reason=reason_for_none() or "none")
@pytest.mark.parametrize(
    ("work", "sample"),
    [
        ("engine-plan", 4),
        ("run", 6),
        pytest.param("engine-plan", 48, marks=pytest.mark.slow),
        pytest.param("run", 48, marks=pytest.mark.slow),
        pytest.param("plan", 16, marks=pytest.mark.slow),
        pytest.param("finalize", 16, marks=pytest.mark.slow),
        pytest.param("finalize-again", 12, marks=pytest.mark.slow),
        pytest.param("report", 12, marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_refuses_one_call_does_no_harm(work: str, sample: int) -> None:
    words = [
        sys.executable,
        "-m",
        "tests.faults",
        *work.split(),
        f"--sample={sample}",
        "--side-by-side=1",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 false claims, 0 tracebacks" in done.stdout.splitlines()[-1]


def test_a_claim_without_its_bytes_is_noticed(tmp_path: Path) -> None:
    planned(tmp_path, toy_manifest(16, 4))
    toy_run(tmp_path)
    assert false_claims(tmp_path) == []
    (tmp_path / "arrays.zarr/one/patches/c.1.0.0").unlink()
    (found,) = false_claims(tmp_path)
    assert "c.1.0.0" in found
