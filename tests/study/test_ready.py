"""Are ready files looked into before they stand in for a stage?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptyrun.engine.window import Window
from ptyrun.errors import InputError
from ptyrun.study.graph import Graph
from ptyrun.study.hub import Hub
from ptyrun.study.making import make
from ptyrun.study.others import OtherStage, placed
from ptyrun.study.state import State, survey
from ptyrun.study.works import work_of
from tests.study.hubs import small_study

PINN = "data/phase_e/dose_1000/dense/gs2"
RECONSTRUCTION = "data/phase_f/dose_1000/dense/test/ptychi_reconstruction.npz"


def taking(folder: Path, file: Path, output: str) -> Graph:
    hub = Hub(folder / "hub")
    ready = OtherStage("ready", files=(str(file),), outputs=(output,))
    return Graph.of(hub, placed(hub, small_study(folder).options, (), (ready,)))


@pytest.mark.parametrize("name", ["wts.h5.zip", "net.keras", "net.pt2", "net.h5"])
def test_a_network_that_cannot_be_read_is_refused_before_it_is_taken(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    file.write_bytes(b"no network at all")
    stages = taking(tmp_path, file, f"{PINN}/{name}")
    with pytest.raises(InputError, match=f"{name} cannot stand in for {name}"):
        make(stages, "ready", Window(), work_of)
    assert not stages.hub.path(f"{PINN}/{name}").exists()
    assert survey(stages)["ready"].state is State.FAILED


@pytest.mark.parametrize("value", [0, 1])
def test_a_reconstruction_that_carries_nothing_is_refused(tmp_path: Path, value: int) -> None:
    file = tmp_path / "recon.npz"
    np.savez(file, reconstructed_object=np.full((8, 8), value, np.complex64))
    stages = taking(tmp_path, file, RECONSTRUCTION)
    with pytest.raises(InputError, match=r"recon.npz cannot stand in for ptychi_reconstruction"):
        make(stages, "ready", Window(), work_of)
    assert not stages.hub.path(RECONSTRUCTION).exists()


def test_a_reconstruction_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "recon.npz"
    np.savez(file, reconstructed_object=np.arange(64).reshape(8, 8).astype(np.complex64))
    stages = taking(tmp_path, file, RECONSTRUCTION)
    assert make(stages, "ready", Window(), work_of).state is State.DONE
    assert stages.hub.path(RECONSTRUCTION).read_bytes() == file.read_bytes()
