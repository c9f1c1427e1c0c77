"""Does ``--new`` in a loop come to an end?"""

from __future__ import annotations

import json
from pathlib import Path

from tests.studies import Study, ptyrun


def test_a_loop_that_says_new_at_every_call_is_told_to_leave_it_out(
    study: Study, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = study.words(run, "--new", "--max-chunks=1", "--window=300s")
    assert ptyrun(*words).returncode == 75
    manifest = (run / "manifest.json").read_bytes()
    again = ptyrun(*words)
    assert again.returncode == 2
    assert "leave out --new to continue" in again.stderr
    assert (run / "manifest.json").read_bytes() == manifest
    assert [folder.name for folder in tmp_path.iterdir()] == ["run"], "nothing was set aside"
    other = ptyrun(
        *study.words(run, "--new", "--max-chunks=1", "--window=300s", "--n-subsample=50")
    )
    assert other.returncode == 75, other.stderr
    assert len(list(tmp_path.glob("run.until-*"))) == 1, "another comparison is another matter"


def test_that_a_run_was_begun_afresh_is_no_part_of_its_identity(
    study: Study, tmp_path: Path
) -> None:
    digests = []
    for name, new in (("one", ["--new"]), ("other", [])):
        assert ptyrun("plan", *study.words(tmp_path / name, *new)[1:]).returncode == 0
        digests.append(json.loads((tmp_path / name / "manifest.json").read_text())["digest"])
    assert digests[0] == digests[1]
