"""What is hashed as a model?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.comparison import fingerprints
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.errors import InputError


def test_a_folder_of_very_many_files_is_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "MAX_FILES", 3)
    for number in range(3):
        (tmp_path / str(number)).touch()
    assert len(Fingerprints(None).of(tmp_path)) == 64
    (tmp_path / "one more").touch()
    with pytest.raises(InputError, match="more than 3 files"):
        Fingerprints(None).of(tmp_path)
