"""Do phases C and D make what they say, from a base to the overlap views?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ptyrun.config.study import Positions, StudySession, View
from ptyrun.engine.window import Window
from ptyrun.errors import DamageError, ExitCode, InputError, UnfinishedError, UsageError
from ptyrun.progress import SILENT
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.simulation.positions import simulated_positions
from ptyrun.study import overlap_metrics, simulating, working
from ptyrun.study.asking import study_asked
from ptyrun.study.history import MEMBER, History
from ptyrun.study.making import make
from ptyrun.study.npz_writer import write_npz
from ptyrun.study.others import OtherStage
from ptyrun.study.plan import graph
from ptyrun.study.state import State, survey
from ptyrun.study.views import require_acceptance_floor, require_single_values
from ptyrun.study.works import work_of
from tests.study.hubs import N_IMAGES, OBJECT_PX, SIDE_PX, contents, done, make_all, small_study

C = "data/phase_c/dose_1000"
D = "data/phase_d/dose_1000"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = small_study(tmp_path_factory.mktemp("data"), views=tuple(View))
    return done(study).hub.root


def test_frames_are_counts_at_the_dose(hub: Path) -> None:
    file = NpzFile(hub / C / "simulated_raw.npz")
    frames = file.array("diff3d")
    assert (frames.dtype, frames.shape) == (np.float32, (N_IMAGES, SIDE_PX, SIDE_PX))
    unit = frames[frames > 0].min().astype(float)
    counts = (frames.astype(float) / unit) ** 2
    assert np.allclose(counts, np.rint(counts), atol=1e-3)
    totals = counts.sum(axis=(1, 2))
    assert abs(totals.mean() - 1000) < 5 * np.sqrt(1000 / N_IMAGES)
    assert file.array("objectGuess").dtype == file.array("probeGuess").dtype == np.complex64
    assert file.array("scan_index").dtype == np.int64


def test_positions_are_drawn_and_not_those_of_the_base(hub: Path) -> None:
    file = NpzFile(hub / C / "simulated_raw.npz")
    expected = simulated_positions(OBJECT_PX, (SIDE_PX, SIDE_PX), N_IMAGES, 42)
    assert np.array_equal(file.array("ycoords"), expected[:, 0])
    assert np.array_equal(file.array("xcoords_start"), expected[:, 1])


def test_positions_of_the_base_are_taken_where_asked(tmp_path: Path) -> None:
    study = small_study(tmp_path, positions=Positions.BASE, n_images=30)
    done(study)
    base = np.load(tmp_path / "base.npz")
    file = NpzFile(study.hub.path(f"{C}/simulated_raw.npz"))
    assert np.array_equal(file.array("ycoords"), base["ycoords"][:30])


def test_names_become_canonical_and_the_history_grows_step_by_step(hub: Path) -> None:
    steps = {
        "simulated_raw": [],
        "canonical": ["transpose_rename_convert"],
        "patched": ["transpose_rename_convert", "generate_patches"],
        "patched_train": [
            *("transpose_rename_convert", "generate_patches"),
            "split_dataset_tool.py",
        ],
    }
    for name, tools in steps.items():
        file = NpzFile(hub / C / f"{name}.npz")
        history = History.of(file)
        assert [step["tool"] for step in history.steps] == tools
        assert history.facts["physics_parameters"]["nphotons"] == 1000
        assert ("diff3d" in file) == (name == "simulated_raw")
    assert NpzFile(hub / C / "patched.npz").header("Y").shape == (1, SIDE_PX, SIDE_PX, 1)


def test_halves_are_split_at_the_middle_of_the_range_of_y(hub: Path) -> None:
    whole = NpzFile(hub / C / "patched.npz")
    y = whole.array("ycoords")
    point = y.min() + (y.max() - y.min()) / 2
    train, test = (NpzFile(hub / C / f"patched_{half}.npz") for half in ("train", "test"))
    assert np.array_equal(train.array("ycoords"), y[y < point])
    assert np.array_equal(test.array("diffraction"), whole.array("diffraction")[y >= point])
    assert train.array("objectGuess").shape == OBJECT_PX


def test_the_list_of_doses_is_upstreams(hub: Path) -> None:
    found = json.loads((hub / "data/phase_c/run_manifest.json").read_text())
    assert found == {
        "dose_1000": {
            "dose": 1000.0,
            "train": str(hub / C / "patched_train.npz"),
            "test": str(hub / C / "patched_test.npz"),
            "intermediate_dir": str(hub / C),
        }
    }


@pytest.mark.parametrize(("view", "gridsize", "s_img"), [("dense", 2, 0.8), ("sparse", 1, 1.0)])
def test_views_hold_the_kept_frames_and_their_metrics(
    hub: Path, view: str, gridsize: int, s_img: float
) -> None:
    for half in ("train", "test"):
        source, file = (
            NpzFile(hub / C / f"patched_{half}.npz"),
            NpzFile(hub / D / view / f"{half}.npz"),
        )
        positions = np.column_stack([source.array("ycoords"), source.array("xcoords")])
        expected = overlap_metrics(
            positions,
            gridsize=gridsize,
            s_img=s_img,
            n_groups=8,
            neighbor_count=5,
            probe_diameter_px=38.4,
            rng_seed_subsample=456,
        )
        assert json.loads((hub / D / view / f"{half}_metrics.json").read_text()) == dict(expected)
        assert len(file.array("xcoords")) == expected.n_images_subsampled
        facts = History.of(file).facts
        assert facts["geometry_acceptance_bound"] == expected.geometry_acceptance_bound
        assert [step["tool"] for step in facts["data_transformations"]][-2:] == [
            "split_dataset_tool.py",
            "overlap_views",
        ]
    bundle = json.loads((hub / D / view / "metrics_bundle.json").read_text())
    assert list(bundle) == ["train", "test"]
    assert bundle["test"] == dict(expected)


def test_filter_dataset_by_mask_handles_scalar_metadata(hub: Path, tmp_path: Path) -> None:
    """A dose stays one dose, where upstream's filter makes one of each frame of it."""
    ready = small_study(
        tmp_path,
        OtherStage("split", files=(str(tmp_path / "train.npz"), str(tmp_path / "test.npz"))),
    )
    for half in ("train", "test"):
        file = NpzFile(hub / C / f"patched_{half}.npz")
        arrays = {name: file.array(name) for name in file.names if name != MEMBER}
        arrays |= {"dose": np.array(1000.0), "seed": np.array(7)}
        write_npz(tmp_path / f"{half}.npz", arrays)
    stages = graph(ready)
    make_all(stages)
    view = ready.hub.path(f"{D}/dense/train.npz")
    assert NpzFile(view).array("dose").shape == ()
    require_single_values(tmp_path / "train.npz", view)
    file = NpzFile(view)
    arrays = {name: file.array(name) for name in file.names}
    arrays["dose"] = np.full(len(arrays["xcoords"]), 1000.0)
    write_npz(tmp_path / "wrong.npz", arrays)
    with pytest.raises(DamageError, match="dose"):
        require_single_values(tmp_path / "train.npz", tmp_path / "wrong.npz")


@pytest.mark.parametrize("view", list(View))
def test_generate_overlap_views_dense_acceptance_floor(
    hub: Path, tmp_path: Path, view: View
) -> None:
    """The floor that is recorded follows from the positions, in the metrics and in the file."""
    npz, figures = (hub / D / view / name for name in ("train.npz", "train_metrics.json"))
    require_acceptance_floor(npz, figures)
    metrics = json.loads(figures.read_text())
    for name in ("geometry_acceptance_bound", "effective_min_acceptance"):
        for wrong in (metrics[name] * 1.0001, None, True):
            (tmp_path / "metrics.json").write_text(json.dumps({**metrics, name: wrong}))
            with pytest.raises(DamageError, match=name):
                require_acceptance_floor(npz, tmp_path / "metrics.json")


def test_equal_studies_are_equal_bytes(hub: Path, tmp_path: Path) -> None:
    again = small_study(tmp_path, views=tuple(View))
    done(again)
    assert contents(again.hub.root) == contents(hub)


def test_frames_do_not_depend_on_where_they_are_cut(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulating, "PIECE_BYTES", 7 * SIDE_PX**2 * 4)
    again = small_study(tmp_path)
    make(graph(again), "simulate-dose_1000", Window(), work_of)
    name = f"{C}/simulated_raw.npz"
    assert again.hub.path(name).read_bytes() == (hub / name).read_bytes()


def test_frames_are_gone_on_with_where_a_window_ended(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulating, "PIECE_BYTES", 4 * SIDE_PX**2 * 4)
    again = small_study(tmp_path)
    stages, key = graph(again), "simulate-dose_1000"
    made = 0

    class Closing(Window):
        """A window that has time for three more pieces."""

        def __init__(self) -> None:
            super().__init__()
            self.left = 3

        @property
        def remaining_s(self) -> float:
            self.left -= 1
            return 1e6 if self.left >= 0 else 0.0

    for windows in range(1, 50):  # noqa: B007
        try:
            make(stages, key, Closing(), work_of)
        except UnfinishedError:
            (folder,) = again.hub.path(C).glob(f"{key}.pieces-*")
            pieces = len(list(folder.iterdir()))
            assert pieces > made, "a window must keep what it made"
            made = pieces
        else:
            break
    assert windows > 3
    name = f"{C}/simulated_raw.npz"
    assert again.hub.path(name).read_bytes() == (hub / name).read_bytes()
    assert not list(again.hub.path(C).glob("*.pieces-*"))


def test_a_piece_that_is_harmed_is_made_again(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = small_study(tmp_path)
    stages, key = graph(again), "simulate-dose_1000"
    monkeypatch.setattr(
        simulating, "write_npz", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        make(stages, key, Window(), work_of)
    monkeypatch.undo()
    pieces = sorted(again.hub.path(C).glob("*.pieces-*/*"))
    assert pieces
    for piece in pieces:
        data = piece.read_bytes()
        piece.write_bytes(data[:10] + bytes([data[10] ^ 1]) + data[11:])
    make(stages, key, Window(), work_of)
    name = f"{C}/simulated_raw.npz"
    assert again.hub.path(name).read_bytes() == (hub / name).read_bytes()


def test_ready_data_stand_in_for_a_stage_after_a_check(hub: Path, tmp_path: Path) -> None:
    files = tuple(str(hub / C / f"patched_{half}.npz") for half in ("train", "test"))
    study = small_study(tmp_path, OtherStage("split", files=files), base_npz=None)
    stages = graph(study)
    assert [stage.key for stage in stages.stages][:2] == ["split-dose_1000", "manifest"]
    make_all(stages)
    for name in ("train.npz", "test_metrics.json"):
        made = study.hub.path(f"{D}/dense/{name}").read_bytes()
        assert made == (hub / D / "dense" / name).read_bytes()


def test_ready_data_that_lie_in_their_place_stay_there(hub: Path, tmp_path: Path) -> None:
    """As in a hub that upstream's scripts left: views are made of its halves."""
    names = tuple(f"{C}/patched_{half}.npz" for half in ("train", "test"))
    config = tmp_path / "study.toml"
    config.write_text(
        'hub = "hub"\ndose = 1000\nview = "dense"\nn_groups = 8\nneighbor_count = 5\n[[stage]]\n'
        f'name = "split"\nfiles = ["{{hub}}/{names[0]}", "{{hub}}/{names[1]}"]\n'
    )
    study = study_asked({}, config, runs=True)
    for name in names:
        study.hub.path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(hub / name, study.hub.path(name))
    before = [study.hub.path(name).stat().st_ino for name in names]
    outcome = working.run(study, config, StudySession(), SILENT)
    assert outcome.stop is ExitCode.COMPLETE
    assert [study.hub.path(name).stat().st_ino for name in names] == before
    view = f"{D}/dense/train.npz"
    assert study.hub.path(view).read_bytes() == (hub / view).read_bytes()
    brighter = {**np.load(hub / names[0])}
    brighter["diffraction"] *= 1.5  # another scan: all is made anew of it
    write_npz(study.hub.path(names[0]), brighter)
    assert make_all(graph(study))[0] == "split-dose_1000"
    assert survey(graph(study))["split-dose_1000"].state is State.DONE
    with pytest.raises(UsageError, match="--clobber would move"):
        working.run(study, config, StudySession(clobber=True), SILENT)


def test_ready_data_that_break_the_contract_are_refused_by_name(hub: Path, tmp_path: Path) -> None:
    file = NpzFile(hub / C / "patched_train.npz")
    arrays = {name: file.array(name) for name in file.names}
    arrays["diffraction"] = -arrays["diffraction"]
    write_npz(tmp_path / "bad.npz", arrays)
    files = (str(tmp_path / "bad.npz"), str(hub / C / "patched_test.npz"))
    study = small_study(tmp_path, OtherStage("split", files=files))
    with pytest.raises(InputError, match=r"bad\.npz cannot stand in"):
        make_all(graph(study))
    found = survey(graph(study))["split-dose_1000"]
    assert found.state is State.FAILED
    assert "negative" in found.why


@pytest.mark.parametrize("name", ["objectGuess", "probeGuess", "xcoords"])
def test_a_base_that_lacks_an_array_is_named(tmp_path: Path, name: str) -> None:
    study = small_study(tmp_path)
    base = np.load(tmp_path / "base.npz")
    np.savez(tmp_path / "base.npz", **{key: base[key] for key in base.files if key != name})
    with pytest.raises(InputError, match=name):
        make_all(graph(study))
