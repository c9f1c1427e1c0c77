"""Is nothing forgotten, and nothing reported, beside a session that writes?"""

from __future__ import annotations

from pathlib import Path

from ptyrun.engine.integrity import Level, verify
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import Forgotten
from ptyrun.paths import RunPaths
from tests.engine.children import spawn, work
from tests.engine.toys import decoded, expected, planned, toy_manifest, toy_run

LOOKS = 12


def test_sessions_that_start_beside_a_writer_of_small_chunks_forget_nothing(
    tmp_path: Path,
) -> None:
    manifest = planned(tmp_path, toy_manifest(8000, 4))
    toy_run(tmp_path, batch_items=4, max_chunks=500)  # so that a look takes a while
    paths = RunPaths(tmp_path)
    writer = spawn(work, tmp_path, batch_items=4, compute_s=0.001)
    try:
        for _ in range(LOOKS):
            assert verify(paths, Level.SIZE) == []
            toy_run(tmp_path, batch_items=4, max_chunks=1)
    finally:
        writer.terminate()
        writer.join()
    assert not [r for _, r in read_records(paths) if isinstance(r, Forgotten)]
    toy_run(tmp_path, batch_items=4)
    assert decoded(tmp_path) == expected(manifest)
