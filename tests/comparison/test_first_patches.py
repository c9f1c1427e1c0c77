"""Is what the first patches are doubted for found once, and told again?"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pytest

from ptyrun.comparison.first_patches import FirstPatches
from ptyrun.comparison.kept import Kept
from ptyrun.ptycho.readers.opening import open_scan
from tests.scans import PATCH_PX, small_object, write_scan


def like(**facts: Any) -> Any:
    return SimpleNamespace(**facts)


@pytest.fixture
def first(tmp_path: Path) -> FirstPatches:
    scan = open_scan(write_scan(tmp_path / "scan.npz"))
    frames = np.arange(scan.n_frames)[:, None]
    return FirstPatches(
        kept=Kept(tmp_path / "steps"),
        manifest=like(shared={"scan_sha256": "1"}),
        plan=like(name="net", document={"fingerprint": "2"}),
        scan=scan,
        index=like(frames=frames, positions_px=scan.positions_px[frames]),
    )


def patches(first: FirstPatches, *, conjugated: bool) -> tuple[range, np.ndarray]:
    corners = np.rint(first.scan.positions_px).astype(int) - PATCH_PX // 2
    image = small_object()
    found = np.stack([image[y : y + PATCH_PX, x : x + PATCH_PX] for y, x in corners])
    return range(len(found)), found.conj() if conjugated else found


def unread() -> NoReturn:
    raise AssertionError("they were read")


@pytest.mark.parametrize("conjugated", [True, False])
def test_what_is_known_needs_no_patches(first: FirstPatches, conjugated: bool) -> None:
    found = first.doubt_of(*patches(first, conjugated=conjugated))
    assert ("conjugated" in str(found)) if conjugated else (found is None)
    assert first.doubt(unread) == found


def test_of_another_plan_they_are_read(first: FirstPatches) -> None:
    first.doubt_of(*patches(first, conjugated=True))
    others = (
        replace(first, plan=like(name="net", document={"fingerprint": "3"})),
        replace(first, manifest=like(shared={"scan_sha256": "9"})),
    )
    for other in others:
        assert other.doubt(lambda: patches(first, conjugated=False)) is None
        assert other.doubt(unread) is None


def test_without_a_chunk_nothing_is_doubted(first: FirstPatches) -> None:
    assert first.doubt(lambda: None) is None


def test_what_is_damaged_is_found_again(first: FirstPatches) -> None:
    found = first.doubt_of(*patches(first, conjugated=True))
    for path in first.kept.folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert first.doubt(lambda: patches(first, conjugated=True)) == found


def test_what_somebody_else_kept_is_not_believed(first: FirstPatches, tmp_path: Path) -> None:
    first.doubt_of(*patches(first, conjugated=True))
    other = replace(first, kept=Kept(tmp_path / "sent"))
    shutil.copytree(first.kept.folder, other.kept.folder)
    assert first.doubt(unread) is not None
    assert other.doubt(lambda: patches(first, conjugated=False)) is None
