"""Do data files lie where their own history says that they belong?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ptyrun.study.checks.verify import verify
from ptyrun.study.history import MEMBER
from tests.study.hubs import done, small_study

C = "data/phase_c/dose_1000"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with data, without records of how it was made, as upstream leaves one."""
    study = small_study(tmp_path_factory.mktemp("data"), doses=(1000.0, 4000.0), views=())
    done(study)
    for record in study.hub.root.rglob("*.stage.json"):
        record.unlink()
    return study.hub.root


def said(hub: Path) -> str:
    found = {each.name: each.error for each in verify(hub).validations}
    return found["phase_c_metadata"]


def test_data_in_their_place_are_found_in_order(hub: Path) -> None:
    assert "patched" not in said(hub)


def test_the_check_of_the_data_says_no_more_than_it_looks_at(hub: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(hub, tmp_path / "hub")
    before = said(copy)
    (copy / C / "patched.npz").unlink()
    (about,) = [each.about for each in verify(copy).validations if each.name == "phase_c_metadata"]
    assert said(copy) == before  # the inventory's check finds it
    assert about.startswith("both halves of each dose are there") and "intact" not in about


def test_exchanged_halves_are_found(hub: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(hub, tmp_path / "hub")
    train, test = (copy / C / f"patched_{half}.npz" for half in ("train", "test"))
    shutil.copy(hub / C / test.name, train)
    shutil.copy(hub / C / train.name, test)
    error = said(copy)
    assert "patched_train.npz: it was split at y = " in error
    assert "of the other half than train" in error
    assert "of the other half than test" in error


def test_data_of_another_dose_are_found(hub: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(hub, tmp_path / "hub")
    for half in ("train", "test"):
        name = f"patched_{half}.npz"
        shutil.copy(hub / "data/phase_c/dose_4000" / name, copy / C / name)
    assert f"{C}/patched_test.npz: its history says 4000 photons per frame, not 1000" in said(copy)


def test_lost_frames_and_times_to_come_are_found(hub: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(hub, tmp_path / "hub")
    file = copy / C / "patched_test.npz"
    arrays = {**np.load(file)}
    n_frames = len(arrays["xcoords"])
    fewer = {
        name: array[1:] if array.shape[:1] == (n_frames,) else array
        for name, array in arrays.items()
    }
    np.savez(file, **fewer)
    assert f"its history says {n_frames} frames, and it has {n_frames - 1}" in said(copy)
    history = json.loads(arrays[MEMBER].item())
    history["data_transformations"][0]["timestamp"] = "2999-01-01T00:00:00Z"
    np.savez(file, **{**arrays, MEMBER: np.array(json.dumps(history))})
    assert "was made at '2999-01-01T00:00:00Z'" in said(copy)
