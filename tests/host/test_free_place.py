from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.errors import UsageError
from ptyrun.host.free_place import require_free


def test_a_place_where_nothing_stands_is_free(tmp_path: Path) -> None:
    require_free(tmp_path / "new")


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_stands_there_stays_unless_it_is_a_file_and_may_be_replaced(
    tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "there"
    if kind == "file":
        place.write_text("x")
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="exists already") as told:
        require_free(place)
    assert "--overwrite" not in str(told.value)
    with pytest.raises(UsageError) as told:
        require_free(place, overwrite=False)
    assert ("--overwrite" in str(told.value)) is (kind != "folder")
    if kind == "folder":
        with pytest.raises(UsageError, match="a folder, which is not replaced"):
            require_free(place, overwrite=True)
    else:
        require_free(place, overwrite=True)
