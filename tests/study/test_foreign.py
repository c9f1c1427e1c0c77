"""What can a trainer or an algorithm do to a study, from the process that it works in?"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from ptyrun.child.process import MARK
from ptyrun.engine.window import Window, counted_from_now
from ptyrun.errors import PredictionError, PredictorDiedError, PtyrunError, UnfinishedError
from ptyrun.host.confinement import abi
from ptyrun.study.hub import Hub
from ptyrun.study.reconstructing import reconstruct
from ptyrun.study.stage import built_in
from ptyrun.study.task import StageFailedError, Task, Work
from ptyrun.study.training import train
from tests import foreign_trainers
from tests.study.hubs import write_base

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="not Linux")
ENTRY_POINTS = """
[ptyrun.trainers]
pixel.npy = tests.trainers:PixelTrainer
harm.npy = tests.foreign_trainers:HarmfulTrainer
[ptyrun.reconstructors]
harmful = tests.foreign_trainers:HarmfulAlgorithm
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers trainers and an algorithm; what is foreign works in processes, as users have it."""
    described = tmp_path / "package/foreign-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path / "package")
    monkeypatch.setenv("PTYRUN_INLINE", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bait = tmp_path / "home/bait"
    bait.parent.mkdir()
    bait.write_text("secret")
    monkeypatch.setenv(foreign_trainers.BAIT, str(bait))


@pytest.fixture
def bait(tmp_path: Path) -> Path:
    return tmp_path / "home/bait"


def scan_of(folder: Path) -> Path:
    """A scan with frames, small enough to train on within a second."""
    path = write_base(folder / "base.npz", n_images=12)
    with np.load(path) as file:
        arrays = dict(file)
    centres = np.stack([arrays["ycoords"], arrays["xcoords"]], 1).round().astype(int)
    half = len(arrays["probeGuess"]) // 2
    frames = [
        np.fft.fftshift(
            np.fft.fft2(
                arrays["objectGuess"][y - half : y + half, x - half : x + half]
                * arrays["probeGuess"],
                norm="ortho",
            )
        )
        for y, x in centres
    ]
    np.savez(
        path,
        **{**arrays, "ycoords": centres[:, 0] * 1.0, "xcoords": centres[:, 1] * 1.0},
        diffraction=np.abs(frames).astype(np.float32),
    )
    return path


def training(folder: Path, name: str = "pixel.npy", **settings: str) -> Task:
    (folder / "hub/data").mkdir(parents=True, exist_ok=True)
    hub = Hub(folder / "hub")
    if not hub.path("base.npz").exists():
        scan_of(hub.root)
    stage = built_in(
        *(hub, "train-baseline", {"dose": "1000"}, ["base.npz"]),
        [f"data/{each}" for each in ("model.npy", "losses.csv", "losses.png")],
        trainer=name,
        seed=1,
        threads=1,
        epochs=40,
        gridsize=1,
        settings=settings,
    )
    return Task(stage, hub, Window(), hub.path("data/pieces-1"), {"base.npz": "0" * 64})


def reconstruction(folder: Path, algorithm: str) -> Task:
    task = training(folder)
    stage = built_in(
        *(task.hub, "reconstruct", {"dose": "1000"}, ["base.npz"], ["data/found.npz"]),
        algorithm=algorithm,
        epochs=2,
        seed=1,
        update_probe=False,
        batch_frames=4,
    )
    return replace(task, stage=stage)


def outputs(task: Task) -> list[bytes]:
    return [path.read_bytes() for path in task.outputs()]


def marked() -> list[int]:
    """Processes of this test's foreign code that live."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if MARK in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.mark.parametrize("make", [train, reconstruct])
def test_from_a_process_of_its_own_come_the_same_bytes(
    make: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = [
        training(tmp_path / name) if make is train else reconstruction(tmp_path / name, "epie")
        for name in ("a", "b")
    ]
    make(tasks[0])
    monkeypatch.setenv("PTYRUN_INLINE", "1")
    said = capsys.readouterr().out
    make(tasks[1])
    assert said == capsys.readouterr().out, "its log says the same"
    assert outputs(tasks[0]) == outputs(tasks[1])


@pytest.mark.parametrize("make", [train, pytest.param(reconstruct, marks=pytest.mark.slow)])
def test_it_does_no_harm_that_this_kernel_can_stop(make: Work, tmp_path: Path, bait: Path) -> None:
    if not (found := abi()):
        pytest.skip("this kernel has no Landlock")
    if make is train:
        task = training(tmp_path, "harm.npy", does="harm")
        train(task)
        done = task.outputs()[0].read_text().split()
    else:
        task = reconstruction(tmp_path, "harmful")
        reconstruct(task)
        with np.load(task.outputs()[0]) as file:
            done = [f"{each:.0f}" for each in file["loss"]]
    stopped = {n for n in foreign_trainers.HARMS if foreign_trainers.FROM_ABI.get(n, 1) <= found}
    harms = {name for name, each in zip(foreign_trainers.HARMS, done, strict=True) if each == "1"}
    assert not harms & stopped
    assert bait.read_text() == "secret"


@pytest.mark.parametrize(
    ("does", "kind", "said"),
    [
        ("segfault", PredictorDiedError, "trainer gave no answer: SIGSEGV"),
        ("leave", PredictorDiedError, "its last output: .*so it goes"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                ("exit", PredictionError, r"asked Python to exit \(code 0\)"),
                ("kill", PredictorDiedError, "SIGKILL"),
                ("garble", PredictorDiedError, "not JSON"),
                ("link", StageFailedError, "symbolic link"),
                ("fifo", StageFailedError, "FIFO"),
                ("nothing", StageFailedError, "left no result"),
            )
        ),
        ("lie", StageFailedError, "left no result"),
    ],
)
def test_an_end_without_a_model_is_a_failed_stage(
    does: str, kind: type[PtyrunError], said: str, tmp_path: Path
) -> None:
    task = training(tmp_path, "harm.npy", does=does)
    with pytest.raises(kind, match=f"(?s){said}"):
        train(task)
    assert not [path for path in task.outputs() if os.path.lexists(path)]
    assert not (task.pieces / "made").exists()


def test_a_signal_keeps_its_state_and_the_next_call_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, cut = training(tmp_path / "a"), training(tmp_path / "b")
    train(whole)
    _signalled_when(lambda: bool(list(cut.pieces.glob("state-*"))))
    try:
        train(cut)  # which may be quicker than the signal
    except UnfinishedError as error:
        assert "received SIGTERM" in error.why
        assert list(cut.pieces.glob("state-*"))
        train(cut)
    assert outputs(cut) == outputs(whole)


@pytest.mark.slow
def test_one_that_hangs_is_ended_with_the_window(tmp_path: Path) -> None:
    task = training(tmp_path, "harm.npy", does="hang")
    with counted_from_now():
        task = replace(task, window=Window(20.0))
    with pytest.raises(UnfinishedError, match="last state it kept"):
        train(task)
    assert not marked()


def _signalled_when(is_time: Callable[[], bool]) -> None:
    def wait() -> None:
        deadline_s = time.monotonic() + 300
        while not is_time() and time.monotonic() < deadline_s:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
