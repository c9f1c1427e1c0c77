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
from ptyrun.study.plan import graph
from ptyrun.study.state import State, survey
from ptyrun.study.works import work_of
from tests.study.hubs import done, make_all, small_study

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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with the data and views of two doses."""
    study = small_study(tmp_path_factory.mktemp("made"), doses=(1000.0, 4000.0))
    done(study)
    return study.hub.root


C, D = "data/phase_c/dose_1000", "data/phase_d/dose_1000/dense"
HALVES = (f"{C}/patched_train.npz", f"{C}/patched_test.npz")
OTHER_DOSE = tuple(name.replace("1000", "4000") for name in HALVES)
BASE = "../base.npz"


@pytest.mark.parametrize(
    ("stage", "files", "said"),
    [
        ("simulate", (BASE,), "holds no frames of a scan: it lacks diffraction or diff3d"),
        ("simulate", (f"{D}/train_metrics.json",), "cannot be read as an NPZ file"),
        ("canonicalise", (f"{C}/simulated_raw.npz",), "it lacks diffraction"),
        ("patch", (BASE,), "it lacks diffraction"),
        ("split", HALVES[::-1], "of the other half than train"),
        ("split", OTHER_DOSE, "says 4000 photons per frame, not 1000"),
        ("split", (f"{D}/train.npz", HALVES[1]), "its history says"),
        ("manifest", (BASE,), "not a JSON document"),
        ("overlap-dose_1000-dense-train", (f"{D}/train.npz", BASE), "not a JSON document"),
        (
            "overlap-dose_1000-dense-train",
            (f"{D}/test.npz", f"{D}/test_metrics.json"),
            "of the other half than train",
        ),
        (
            "overlap-dose_1000-dense-train",
            (f"{D}/train.npz", f"{D}/metrics_bundle.json"),
            "it holds no overlap metrics: it lacks",
        ),
        ("bundle", (HALVES[0],), "not a JSON document"),
    ],
)
def test_ready_files_of_another_kind_are_refused_before_they_are_taken(
    made: Path, tmp_path: Path, stage: str, files: tuple[str, ...], said: str
) -> None:
    ready = OtherStage(stage, files=tuple(str(made / file) for file in files))
    study = small_study(tmp_path, ready)
    stages = graph(study)
    (key,) = (each.key for each in stages.stages if each.kind == "ready")
    leading = stages.upto(key)
    for each in leading.stages[:-1]:
        make(leading, each.key, Window(), work_of)
    with pytest.raises(InputError, match="cannot stand in") as refusal:
        make(leading, key, Window(), work_of)
    assert said in str(refusal.value)
    assert survey(leading)[key].state is State.FAILED
    assert not any(study.hub.path(name).exists() for name in leading.find(key).outputs)
    assert not [*study.hub.root.rglob("*.partial")]


def test_ready_files_of_the_right_kind_are_taken(made: Path, tmp_path: Path) -> None:
    kinds = {
        "simulate": (f"{C}/simulated_raw.npz",),
        "patch": (f"{C}/patched.npz",),
        "split": HALVES,
        "overlap-dose_1000-dense-train": (f"{D}/train.npz", f"{D}/train_metrics.json"),
        "bundle": (f"{D}/metrics_bundle.json",),
    }
    for stage, files in kinds.items():
        ready = OtherStage(stage, files=tuple(str(made / file) for file in files))
        study = small_study(tmp_path / stage, ready)
        assert f"{stage}" in " ".join(make_all(graph(study)))
        name = f"{D}/metrics_bundle.json"
        assert study.hub.path(name).read_bytes() == (made / name).read_bytes()


def test_ready_files_are_chosen_by_the_kind_whose_place_they_take(tmp_path: Path) -> None:
    ready = OtherStage("split", files=("a.npz", "b.npz"))
    stages = graph(small_study(tmp_path, ready))
    assert [each.key for each in stages.only(["split"]).stages] == ["split-dose_1000"]


def test_a_reconstruction_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "recon.npz"
    np.savez(file, reconstructed_object=np.exp(0.1j * np.arange(64.0)).reshape(8, 8))
    stages = taking(tmp_path, file, RECONSTRUCTION)
    assert make(stages, "ready", Window(), work_of).state is State.DONE
    assert stages.hub.path(RECONSTRUCTION).read_bytes() == file.read_bytes()
