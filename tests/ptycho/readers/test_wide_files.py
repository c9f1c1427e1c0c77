"""How long are files looked through that have very many groups?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import pytest

from ptyrun.errors import PtyrunError
from ptyrun.ptycho.readers.hdf5 import MOST_TRIED, Hdf5File
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction

MANY = 8 * MOST_TRIED
# Where readers look at one after the other until one is what they look for.
PLACES = ("{}", "entry_{}", "content/obj/S{}", "content/probe/S{}", "chunks/{}")


@pytest.mark.parametrize("opened", [open_scan, open_reconstruction])
@pytest.mark.parametrize("place", PLACES)
def test_not_all_of_very_many_groups_are_tried(
    place: str, opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "wide.h5", "w", libver="latest") as file:
        for number in range(MANY):
            file.create_group(place.format(number))
    tried: list[str] = []
    really = Hdf5File._resolved

    def resolved(file: Hdf5File, name: str) -> Any:
        tried.append(name)
        return really(file, name)

    monkeypatch.setattr(Hdf5File, "_resolved", resolved)
    with pytest.raises(PtyrunError):
        opened(tmp_path / "wide.h5")
    assert len(tried) < MANY


def test_the_number_of_an_entry_has_an_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "long.cxi", "w") as file:
        file.create_group("entry_" + "9" * 5000)
    with pytest.raises(PtyrunError):
        open_scan(tmp_path / "long.cxi")
