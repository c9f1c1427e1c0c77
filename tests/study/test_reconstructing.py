"""Does a study make its iterative reconstructions, whatever kills it, and may others stand in?"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.config.study import Phase
from ptyrun.engine.window import Window, counted_from_now
from ptyrun.errors import PtyrunError, UnfinishedError
from ptyrun.host.checksums import file_sha256
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.study.graph import Graph
from ptyrun.study.making import make
from ptyrun.study.others import OtherStage
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey
from ptyrun.study.works import work_of
from tests.commands import ptyrun
from tests.study.hubs import OBJECT_PX, changed, make_all, small_study, states

KEY = "reconstruct-dose_1000-dense-test"
OUTPUT = "data/phase_f/dose_1000/dense/test/ptychi_reconstruction.npz"


def study_in(folder: Path, *others: OtherStage, epochs: int = 4) -> Study:
    return small_study(
        folder, *others, upto=Phase.RECONSTRUCTIONS, reconstruction_epochs=epochs, n_images=60
    )


def stages_of(study: Study) -> Graph:
    """What leads to the reconstructions, which no network does."""
    return graph(study).upto("reconstruction-manifest")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Not to be changed."""
    study = study_in(tmp_path_factory.mktemp("finished"))
    make_all(stages_of(study))
    return study


def test_each_half_of_a_view_is_reconstructed_from_all_its_frames(finished: Study) -> None:
    with np.load(finished.hub.path(OUTPUT), allow_pickle=False) as file:
        found = dict(file)
    source = finished.hub.path("data/phase_d/dose_1000/dense/test.npz")
    with np.load(source) as scan:
        assert found["xcoords"].tolist() == scan["xcoords"].tolist()
        assert found["ycoords"].tolist() == scan["ycoords"].tolist()
        assert len(scan["xcoords"]) > 20
    assert found["reconstructed_object"].shape == OBJECT_PX
    assert found["reconstructed_object"].dtype == np.complex64
    assert (str(found["algorithm"]), int(found["epochs"])) == ("ePIE", 4)
    assert str(found["input_sha256"]) == file_sha256(source)
    assert found["loss"].shape == (4,)
    assert found["loss"][-1] < found["loss"][0]
    assert open_reconstruction(finished.hub.path(OUTPUT)).label == "PtyChi"


def test_the_list_of_reconstructions_is_upstreams(finished: Study) -> None:
    folder = finished.hub.path("data/phase_f")
    manifest = json.loads((folder / "reconstruction_manifest.json").read_text())
    assert [*manifest] == [
        *("timestamp", "phase_c_root", "phase_d_root", "artifact_root", "filters"),
        *("total_jobs", "filtered_jobs", "jobs"),
    ]
    assert (manifest["total_jobs"], manifest["jobs"][1]) == (
        2,
        {
            "dose": 1000.0,
            "view": "dense",
            "split": "test",
            "input_npz": str(finished.hub.path("data/phase_d/dose_1000/dense/test.npz")),
            "output_dir": str(folder / "dose_1000/dense/test"),
            "algorithm": "ePIE",
            "num_epochs": 4,
        },
    )
    assert json.loads((folder / "skip_summary.json").read_text())["skipped_jobs"] == []


def test_more_epochs_make_the_reconstructions_again_and_nothing_else(finished: Study) -> None:
    found = survey(stages_of(changed(finished, reconstruction_epochs=5)))
    stale = {key for key, each in found.items() if each.state is not State.DONE}
    assert stale == {"reconstruct-dose_1000-dense-train", KEY, "reconstruction-manifest"}
    assert [str(fact) for fact in found[KEY].changed] == ["epochs: 4 -> 5"]


def test_windows_too_short_for_the_whole_end_in_the_same_bytes(
    tmp_path: Path, finished: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_in(tmp_path)
    stages = graph(study)
    make_all(graph(changed(study, upto=Phase.VIEWS)))
    steps = {"left": 1}

    def remaining_s(_window: Window) -> float:
        steps["left"] -= 1
        return 1e6 if steps["left"] >= 0 else -1.0

    monkeypatch.setattr(Window, "remaining_s", property(remaining_s))
    monkeypatch.setenv("PTYRUN_INLINE", "1")  # where that holds
    n_windows = 0
    while states(stages)[KEY] is not State.DONE:
        n_windows, steps["left"] = n_windows + 1, 1
        try:
            make(stages, KEY, Window(1.0), work_of)
        except UnfinishedError as error:
            assert "of 4 epochs are done" in error.what
    assert n_windows > 3
    assert study.hub.path(OUTPUT).read_bytes() == finished.hub.path(OUTPUT).read_bytes()


def test_a_window_without_time_for_a_step_makes_no_checkpoint(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    make_all(graph(changed(study, upto=Phase.VIEWS)))
    with counted_from_now(), pytest.raises(UnfinishedError):
        make(graph(study), KEY, Window(1e-9), work_of)
    assert not [*study.hub.path(OUTPUT).parent.glob("*.pieces-*")]


MAKE_AND_DIE = textwrap.dedent("""
    import os, signal, sys, threading, time
    from pathlib import Path
    from ptyrun.engine.window import Window
    from ptyrun.study import reconstructing
    from ptyrun.study.making import make
    from ptyrun.study.plan import graph
    from ptyrun.study.works import work_of
    from tests.study.test_reconstructing import KEY, study_in

    os.environ["PTYRUN_INLINE"] = "1"  # where that holds
    reconstructing.CHECKPOINT_S = reconstructing.EPOCH_S = 0.0
    reconstructing.WRITING_SHARE = 1e9
    study = study_in(Path(sys.argv[1]), epochs=int(sys.argv[3]))

    def timed(task):
        before = {*task.pieces.glob("state-*.safetensors")}
        def die():
            while not {*task.pieces.glob("state-*.safetensors")} - before:
                time.sleep(0.001)
            time.sleep(float(sys.argv[2]))
            os.kill(os.getpid(), signal.SIGKILL)
        threading.Thread(target=die, daemon=True).start()
        work_of("reconstruct")(task)

    make(graph(study), KEY, Window(), lambda kind: timed)
    os._exit(0)
""")


@pytest.mark.parametrize(
    ("kills", "epochs"), [(2, 12), pytest.param(20, 60, marks=pytest.mark.slow)]
)
def test_killed_at_random_moments_it_ends_in_the_same_bytes(
    tmp_path: Path, kills: int, epochs: int
) -> None:
    whole, killed = study_in(tmp_path / "a", epochs=epochs), study_in(tmp_path / "b", epochs=epochs)
    for study in (whole, killed):
        make_all(graph(changed(study, upto=Phase.VIEWS)))
    make(graph(whole), KEY, Window(), work_of)
    rng, codes = random.Random(1), []
    for _ in range(kills):
        words = (str(tmp_path / "b"), str(rng.uniform(0, 0.05)), str(epochs))
        done_one = subprocess.run([sys.executable, "-c", MAKE_AND_DIE, *words], check=False)
        codes.append(done_one.returncode)
    assert {*codes} <= {0, -9}
    assert codes[0] == -9
    assert [
        *killed.hub.path(OUTPUT).parent.glob(f"{KEY}.pieces-*/state-*.safetensors")
    ] or 0 in codes
    make(graph(killed), KEY, Window(), work_of)
    assert killed.hub.path(OUTPUT).read_bytes() == whole.hub.path(OUTPUT).read_bytes()


WORK_A_WHILE = textwrap.dedent("""
    import re, sys
    from pathlib import Path
    from types import SimpleNamespace
    from ptyrun.ptycho.reconstruction.epie import Epie
    from ptyrun.study.reconstructing import _request

    values = {"epochs": 1, "seed": 0, "update_probe": False, "batch_frames": 32}
    task = SimpleNamespace(value=values.get, pieces=Path(sys.argv[2]))
    request = _request(Path(sys.argv[1]), task)
    at_work = Epie.open(request)
    for _ in range(8):
        at_work.advance()
    said = Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\\s+(\\d+) kB", said)[1]) // 1024)
""")


def peak_mib(folder: Path, n_frames: int, *, is_packed: bool) -> int:
    """Let ePIE take some of the frames of a file of that size; give its peak memory."""
    random = np.random.default_rng(2)
    few = random.exponential(1.0, (64, 128, 128)).astype(np.float32)
    path = folder / f"{n_frames}.npz"
    kind = zipfile.ZIP_DEFLATED if is_packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind, compresslevel=1) as archive:
        with archive.open("diffraction.npy", "w", force_zip64=True) as member:
            head = {"descr": "<f4", "fortran_order": False, "shape": (n_frames, 128, 128)}
            np.lib.format.write_array_header_1_0(member, head)
            for _ in range(n_frames // len(few)):
                member.write(few.tobytes())
        small = {
            "probeGuess": np.ones((128, 128), np.complex64),
            "objectGuess": np.exp(1j * random.uniform(0, 1, (300, 300))).astype(np.complex64),
            "xcoords": random.uniform(70, 230, n_frames),
            "ycoords": random.uniform(70, 230, n_frames),
        }
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
    words = [sys.executable, "-c", WORK_A_WHILE, str(path), str(folder / "pieces")]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    path.unlink()
    shutil.rmtree(folder / "pieces", ignore_errors=True)
    return int(said)


@pytest.mark.parametrize(
    ("n_frames", "is_packed"),
    [(1600, True), pytest.param(16 * 1024, False, marks=pytest.mark.slow)],
    ids=["100 MiB, packed", "1 GiB"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_scan_takes_no_more_memory_than_a_small_one(
    tmp_path: Path, n_frames: int, is_packed: bool
) -> None:
    small = peak_mib(tmp_path, 64, is_packed=False)
    large = peak_mib(tmp_path, n_frames, is_packed=is_packed)
    print(f"{n_frames // 16} MiB of frames: {large} MiB, {small} MiB with 4 MiB of them")
    assert large < small + 50


def test_a_checkpoint_that_is_damaged_gives_way_to_the_one_before(
    tmp_path: Path, finished: Study, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    study = study_in(tmp_path)
    make_all(graph(changed(study, upto=Phase.VIEWS)))
    steps = {"left": 3}

    def remaining_s(_window: Window) -> float:
        steps["left"] -= 1
        return 1e6 if steps["left"] >= 0 else -1.0

    monkeypatch.setenv("PTYRUN_INLINE", "1")  # where that holds
    monkeypatch.setattr("ptyrun.study.reconstructing.CHECKPOINT_S", 0.0)
    monkeypatch.setattr("ptyrun.study.reconstructing.EPOCH_S", 0.0)
    monkeypatch.setattr("ptyrun.study.reconstructing.WRITING_SHARE", 1e9)
    monkeypatch.setattr(Window, "remaining_s", property(remaining_s))
    with pytest.raises(UnfinishedError):
        make(graph(study), KEY, Window(1.0), work_of)
    states_kept = sorted(study.hub.path(OUTPUT).parent.glob(f"{KEY}.pieces-*/state-*"))
    assert [path.name[:18] for path in states_kept] == ["state-000000000002", "state-000000000003"]
    data = bytearray(states_kept[-1].read_bytes())
    data[-400] ^= 1
    states_kept[-1].write_bytes(data)
    steps["left"] = 10_000
    make(graph(study), KEY, Window(1.0), work_of)
    assert "state-000000000003.safetensors is not resumed" in capsys.readouterr().out
    assert study.hub.path(OUTPUT).read_bytes() == finished.hub.path(OUTPUT).read_bytes()


def test_a_ready_reconstruction_stands_in_and_one_without_an_object_does_not(
    tmp_path: Path, finished: Study
) -> None:
    ready = tmp_path / "ready.npz"
    np.savez(ready, reconstructed_object=np.exp(1j * np.arange(12.0).reshape(3, 4)))
    study = study_in(tmp_path, OtherStage(KEY, files=(str(ready),), here=tmp_path))
    make_all(stages_of(study))
    assert open_reconstruction(study.hub.path(OUTPUT)).object.shape == (3, 4)
    listed = study.hub.path("data/phase_f/reconstruction_manifest.json").read_text()
    said = [(job["algorithm"], job["num_epochs"]) for job in json.loads(listed)["jobs"]]
    assert said == [("ePIE", 4), (None, None)]
    np.savez(ready, reconstructed_object=np.ones((3, 4), np.complex64))
    with pytest.raises(PtyrunError, match=r"ready.npz cannot stand in for ptychi_reconstruction"):
        make(graph(study), KEY, Window(), work_of)


def test_a_loss_that_is_no_number_fails_the_stage_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_in(tmp_path, epochs=1)
    make_all(graph(changed(study, upto=Phase.VIEWS)))
    monkeypatch.setenv("PTYRUN_INLINE", "1")  # where that holds
    monkeypatch.setattr("ptyrun.ptycho.reconstruction.epie.OBJECT_STEP", np.float32(1e38))
    with np.errstate(all="ignore"), pytest.raises(PtyrunError, match="diverged"):
        make(graph(study), KEY, Window(), work_of)
    assert survey(graph(study))[KEY].state is State.FAILED
    assert not study.hub.path(OUTPUT).exists()


def test_an_algorithm_that_is_not_installed_is_named_before_anything_is_made(
    tmp_path: Path,
) -> None:
    study = study_in(tmp_path)
    said = ptyrun(
        *("study", "run", "--hub", str(tmp_path / "hub"), "--upto", "reconstructions"),
        *("--base-npz", str(study.options.base_npz), "--reconstruction-algorithm", "epi"),
    )
    assert said.returncode == 2
    assert "no reconstructor is called 'epi'" in said.stderr
    assert not (tmp_path / "hub/data").exists()
