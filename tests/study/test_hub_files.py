"""What of a hub counts as its files, and what does work leave there meanwhile?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ptyrun.errors import ForeignFileError
from ptyrun.study.files import HubFiles, is_note_of_a_look, is_working_file

RUN = "analysis/dose_1000/dense/train"
SET_ASIDE = "archive/20260101T000000Z-clobber-1"


@pytest.mark.parametrize("before", ["", f"{SET_ASIDE}/"])
@pytest.mark.parametrize("name", ["claims/s.uncut", "cache/scan/x.npy", ".half/a", "ledger/a.lock"])
def test_what_work_leaves_is_not_listed_wherever_it_was_moved(before: str, name: str) -> None:
    assert is_working_file(f"{before}{RUN}/{name}")


@pytest.mark.parametrize("before", ["", f"{SET_ASIDE}/"])
def test_what_a_run_is_made_of_is_listed_wherever_it_was_moved(before: str) -> None:
    for name in ("manifest.json", "ledger/s.jsonl", "results.json"):
        assert not is_working_file(f"{before}{RUN}/{name}")
    assert is_note_of_a_look(f"{before}{RUN}/preview/coverage.png")
    assert not is_note_of_a_look(f"{before}data/preview/coverage.png")


def test_a_file_of_the_archive_itself_is_listed(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/notes.txt").write_text("mine")
    assert [each.name for each in HubFiles.of(tmp_path).all()] == ["archive/notes.txt"]


def test_a_file_of_holes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "hollow.npz").open("wb") as file:
        file.truncate(1 << 40)
        try:
            if os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0:
                pytest.skip("this file system does not tell of holes")
        except OSError:
            pass
    with (
        pytest.raises(ForeignFileError, match="consists of holes"),
        HubFiles(tmp_path).open("hollow.npz"),
    ):
        pass
