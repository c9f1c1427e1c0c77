"""Are the files of phases C and D those that upstream makes, apart from its defects?

Values from `golden/study/phase_c` and `phase_d`, made by upstream's own tools.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.config.study import View
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.study.history import MEMBER, History
from ptyrun.study.others import OtherStage
from ptyrun.study.plan import graph
from tests.study.hubs import done, make_all, small_study

# Left out: they follow from the object (docs/decisions/stages-by-content.md).
LEFT_OUT = {"ground_truth_patches"}
# Of one frame that upstream draws unseeded.
OF_ONE_FRAME = {"Y", "coords_start_offsets", "coords_start_relative"}
NOISY = {"diff3d", "diffraction"}


@pytest.fixture(scope="module")
def hub(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of the golden chain's object and probe."""
    folder = tmp_path_factory.mktemp("chain")
    chain = NpzFile(golden / "study/phase_c/chain_small.npz")
    np.savez(
        folder / "base.npz",
        objectGuess=chain.array("object"),
        probeGuess=chain.array("probe"),
        xcoords=np.zeros(60),
        ycoords=np.zeros(60),
    )
    return done(small_study(folder, doses=(1000.0, 10000.0))).hub.root


@pytest.fixture(scope="module")
def chain(golden: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((golden / "study/phase_c/chain.json").read_text())
    return found


def test_phase_c_has_upstreams_arrays_with_its_values(hub: Path, chain: dict[str, Any]) -> None:
    assert len(chain["files"]) >= 5
    for name, about in chain["files"].items():
        file = NpzFile(hub / "data/phase_c" / name)
        assert set(file.names) == set(about["arrays"]) - LEFT_OUT
        for member, expected in about["arrays"].items():
            if member in LEFT_OUT | {MEMBER}:
                continue
            array = file.array(member)
            assert list(array.shape) == expected["shape"], member
            assert str(array.dtype) == expected["dtype"], member
            if member not in OF_ONE_FRAME | NOISY:
                assert hashlib.sha256(array.tobytes()).hexdigest() == expected["sha256"], member


def test_phase_c_has_upstreams_history(hub: Path, chain: dict[str, Any]) -> None:
    for name, about in chain["files"].items():
        found = History.of(NpzFile(hub / "data/phase_c" / name)).facts
        expected = about["metadata"]
        for key in ("schema_version", "physics_parameters", "training_parameters"):
            assert found[key] == expected[key]
        assert set(found) == set(expected)
        steps = zip(found["data_transformations"], expected["data_transformations"], strict=True)
        for step, theirs in steps:
            assert step["tool"] == theirs["tool"]
            assert step["operation"] == theirs["operation"]
            theirs["parameters"].pop("parent_file", None)
            step["parameters"].pop("parent_file", None)
            assert step["parameters"] == theirs["parameters"]


def test_one_photon_has_upstreams_amplitude(hub: Path, chain: dict[str, Any]) -> None:
    for dose, unit in chain["facts"]["amplitude_of_one_count"].items():
        frames = NpzFile(hub / f"data/phase_c/{dose}/simulated_raw.npz").array("diff3d")
        counts = (frames.astype(float) / unit) ** 2
        assert np.abs(counts - np.rint(counts)).max() < 1e-3
        photons = float(dose.removeprefix("dose_"))
        assert abs(counts.sum() / 60 - photons) < 5 * np.sqrt(photons / 60)


@pytest.mark.parametrize("view", list(View))
def test_phase_d_keeps_upstreams_frames_and_its_metrics(
    golden: Path, tmp_path: Path, view: View
) -> None:
    folder = golden / "study/phase_d"
    files = tuple(str(folder / f"phase_c/patched_{half}.npz") for half in ("train", "test"))
    study = small_study(
        tmp_path,
        OtherStage("split", files=files),
        views=(view,),
        n_groups=512,
        neighbor_count=25,
        base_npz=None,
    )
    make_all(graph(study))
    for half in ("train", "test"):
        ours = study.hub.path(f"data/phase_d/dose_1000/{view}/{half}.npz")
        theirs = NpzFile(folder / view / f"{half}.npz")
        found = NpzFile(ours)
        assert set(found.names) == set(theirs.names)
        for member in set(found.names) - {MEMBER, "dose"}:
            assert np.array_equal(found.array(member), theirs.array(member)), member
        # Upstream makes one dose of each frame of the one.
        assert found.array("dose").shape == ()
        assert set(theirs.array("dose")) == {found.array("dose").item()}
        text = (folder / view / f"{half}_metrics.json").read_text()
        expected, metrics = (
            json.loads(text),
            json.loads(ours.with_name(f"{half}_metrics.json").read_text()),
        )
        assert list(metrics) == list(expected)
        # Upstream counts the kept frames as all.
        assert metrics.pop("n_images_total") >= expected.pop("n_images_total")
        # Neighbours at equal distances are drawn arbitrarily, so that groups may differ.
        for name in ("metric_1_group_based_avg", "metric_3_group_to_group_avg"):
            if name in expected:
                assert metrics.pop(name) == pytest.approx(expected.pop(name), abs=0.02)
        assert metrics == pytest.approx(expected, abs=1e-12)
        facts, told = History.of(found).facts, json.loads(theirs.text(MEMBER))
        assert {key: facts[key] for key in told} == pytest.approx(told, abs=1e-12)
