"""Does a real HTCondor bring a comparison to its end through windows, holds and kills?"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.examples.htcondor import HTCondor, HTCondorError, htcondor
from tests.paced import Bench, inputs, until

__all__ = ["htcondor", "inputs"]

FILES = Path(__file__).resolve().parents[2] / "examples/htcondor"
WINDOW = "--window 28m"
SIZES = [
    *["--n-test-groups=24", "--no-vector-plots"],
    *[f"--{arm}-chunk-size=4" for arm in ("pinn", "baseline")],
    *[f"--{arm}-predict-batch-size=4" for arm in ("pinn", "baseline")],
]
CHUNKS = 12
TOLD = ("PYTHONPATH", "PACE", "PTYRUN_INLINE")  # beside what the file itself hands on
BOTH = pytest.mark.parametrize("name", ["shared_folder.sub", "without_shared_folder.sub"])


class Desk:
    """A folder from which a submit file of the examples is submitted, and its jobs."""

    def __init__(self, pool: HTCondor, inputs: Path, folder: Path) -> None:
        self.pool = pool
        self.inputs = inputs
        self.folder = folder
        self.run = folder / "run"
        self.is_shared = True
        self.job = ""
        for name in ("pinn", "baseline"):
            shutil.copytree(inputs / "model", folder / name)
        shutil.copy(inputs / "scan.npz", folder / "test.npz")

    def submit(
        self,
        name: str,
        *more: str,
        queue: str = "queue",
        waits: bool = False,
        inline: bool = True,
    ) -> None:
        """Submit it with the sizes and words of a test; where it *waits*, each start has a gate."""
        file = FILES / name
        text = file.read_text(encoding="utf-8")
        assert text.count(WINDOW) == 1
        assert text.endswith("\nqueue\n")
        text = text.replace(WINDOW, " ".join([WINDOW, *SIZES, *more]))
        (self.folder / name).write_text(text.removesuffix("queue\n") + f"{queue}\n")
        self.is_shared = "without" not in name
        if not self.is_shared:
            self.run.mkdir(exist_ok=True)
        pace: dict[str, str | float] = {"batch_s": 0.0}
        if waits:
            pace["gate"] = "$_CONDOR_SCRATCH_DIR/gate"
        variables = Bench(self.inputs, self.run, pace, inline=inline).environment
        told = [f"{word}={_quoted(variables[word])}" for word in TOLD]
        path = f"{Path(sys.executable).parent}:{self.pool.environment['PATH']}"
        said = self.pool.do(
            *["condor_submit", "-terse", "-append", f'environment="{" ".join(told)}"', name],
            cwd=self.folder,
            PATH=path,
        )
        self.job = said.partition(".")[0]

    def where(self) -> Path:
        """The run that is being computed: here, or in the folder that travels."""
        if self.is_shared:
            return self.run
        found = list((self.pool.folder / "execute").glob("dir_*/run"))
        return found[0] if found else self.run

    def bench(self) -> Bench:
        return Bench(self.inputs, self.where())

    def open_gates(self) -> None:
        """Let those that wait go on; a start that comes later waits again."""
        for folder in (self.pool.folder / "execute").glob("dir_*"):
            with suppress(OSError):
                (folder / "gate").touch()

    def states(self) -> list[int]:
        said = self.pool.do("condor_q", self.job, "-autoformat", "JobStatus")
        return [int(word) for word in said.split()]

    def has_left(self) -> bool:
        self.open_gates()
        return not self.states()

    def history(self) -> dict[str, object]:
        """What HTCondor knows of the job that left the queue last."""
        said = self.pool.do("condor_history", self.job, "-json", "-limit", "1")
        known: dict[str, object] = json.loads(said)[0]
        return known

    def sessions(self) -> list[psutil.Process]:
        """The jobs' own processes."""
        found = []
        for process in self.pool.processes():
            with suppress(psutil.Error):
                if process.cmdline()[1:3] == [_ptyrun(), "compare"]:
                    found.append(process)
        return found

    def said(self) -> str:
        logs = [path.read_text() for path in sorted(self.folder.glob("ptyrun.*"))]
        return "\n".join(logs)


def _quoted(value: str) -> str:
    """In the words of `environment` of a submit file."""
    inner = value.replace("'", "''").replace('"', '""')
    return f"'{inner}'"


def _ptyrun() -> str:
    return str(Path(sys.executable).parent / "ptyrun")


def reasons(run: Path) -> list[str]:
    """How the windows that closed said that they ended."""
    files = sorted((run / "ledger").glob("*.jsonl"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [str(json.loads(line)["reason"]) for line in lines if '"event":"close"' in line]


def chunks(run: Path) -> dict[str, bytes]:
    found = sorted(run.glob("arrays.zarr/*/patches/c.*"))
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def objects(run: Path) -> dict[str, bytes]:
    with np.load(run / "reconstructions.npz") as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


@pytest.fixture
def desk(htcondor: HTCondor, inputs: Path, tmp_path: Path) -> Iterator[Desk]:
    if not Path(_ptyrun()).exists():
        pytest.skip("ptyrun's command is not installed beside this Python")
    folder = tmp_path / "desk"
    folder.mkdir()
    desk = Desk(htcondor, inputs, folder)
    yield desk
    with suppress(HTCondorError):  # none is left
        htcondor.do("condor_rm", "-all")
    until(desk.has_left)


@pytest.fixture(scope="module")
def alone(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same comparison, in one window and without a queue."""
    folder = tmp_path_factory.mktemp("alone")
    run, model, scan = folder / "run", inputs / "model", inputs / "scan.npz"
    done = subprocess.run(
        [
            *[sys.executable, "-m", "ptyrun", "compare", "--pinn_dir", str(model)],
            *["--baseline_dir", str(model), "--test_data", str(scan), "--output_dir", str(run)],
            *SIZES,
        ],
        env=Bench(inputs, run).environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return run


def whole(desk: Desk, alone: Path) -> None:
    """See that the run is here, complete, and what one window without any queue makes."""
    done = subprocess.run(
        [sys.executable, "-m", "ptyrun", "verify", str(desk.run)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.startswith(f"OK: {CHUNKS} chunks"), done.stdout + desk.said()
    assert chunks(desk.run) == chunks(alone)
    assert objects(desk.run) == objects(alone)


def until_it_works(desk: Desk, window: int = 1) -> None:
    """Wait until this window of the run has committed a chunk; it then waits at its gate."""

    def works() -> bool:
        ledgers = sorted((desk.where() / "ledger").glob("*.jsonl"))
        return len(ledgers) == window and '"event":"commit"' in ledgers[-1].read_text()

    until(works)


def evict(desk: Desk, command: str, window: int = 1) -> None:
    """Take the job off its machine while it works; it ends its window before it goes."""
    until_it_works(desk, window)
    desk.pool.do(command, desk.job)
    until(lambda: desk.bench().asked() == window)
    desk.open_gates()
    until(lambda: not desk.sessions())


@BOTH
def test_windows_follow_one_another_until_the_comparison_is_complete(
    desk: Desk, alone: Path, name: str
) -> None:
    desk.submit(name, "--max-chunks 5", inline=False)
    until(desk.has_left)
    assert desk.history()["ExitCode"] == 0, desk.said()
    assert len(reasons(desk.run)) == 3
    whole(desk, alone)
    assert desk.bench().commits() == CHUNKS, "no chunk was computed twice"


@pytest.mark.slow
@BOTH
def test_what_was_computed_before_an_eviction_or_a_hold_is_kept(
    desk: Desk, alone: Path, name: str
) -> None:
    desk.submit(name, waits=True)
    evict(desk, "condor_vacate_job")
    evict(desk, "condor_hold", window=2)
    # One that is released before its process is known to have ended stays idle.
    until(lambda: "Job was held" in desk.said())
    desk.pool.do("condor_release", desk.job)
    until(desk.has_left)
    assert desk.history()["ExitCode"] == 0, desk.said()
    assert reasons(desk.run)[:2] == ["received SIGTERM"] * 2
    whole(desk, alone)
    assert desk.bench().commits() == CHUNKS, "no chunk was computed twice"


@pytest.mark.slow
def test_an_eviction_without_grace_costs_a_run_that_travels_its_last_window(
    desk: Desk, alone: Path
) -> None:
    desk.submit("without_shared_folder.sub", waits=True)
    evict(desk, "condor_vacate_job")
    until_it_works(desk, window=2)
    lost = desk.sessions()
    desk.pool.do("condor_vacate_job", "-fast", desk.job)
    until(lambda: not any(session.is_running() for session in lost))
    until(desk.has_left)
    assert reasons(desk.run) == ["received SIGTERM", "all chunks are committed"]
    whole(desk, alone)


@pytest.mark.slow
@BOTH
def test_a_killed_job_leaves_the_queue_and_the_next_one_goes_on_from_what_it_left(
    desk: Desk, alone: Path, name: str
) -> None:
    desk.submit(name, waits=True)
    until_it_works(desk)
    for session in desk.sessions():
        session.kill()
    until(lambda: not desk.states())
    assert desk.history()["ExitSignal"] == signal.SIGKILL
    kept = chunks(desk.run)
    assert kept
    desk.submit(name)
    until(desk.has_left)
    assert desk.history()["ExitCode"] == 0, desk.said()
    whole(desk, alone)
    assert desk.bench().commits() == CHUNKS, "no chunk was computed twice"


@pytest.mark.slow
@BOTH
def test_a_removed_job_ends_and_leaves_no_process(desk: Desk, alone: Path, name: str) -> None:
    desk.submit(name, waits=True)
    evict(desk, "condor_rm")
    until(lambda: not desk.states())
    if desk.is_shared:
        assert reasons(desk.run) == ["received SIGTERM"]
        assert desk.bench().commits()
    else:
        assert not list(desk.run.iterdir()), "what the file says of condor_rm"
    desk.submit(name)
    until(desk.has_left)
    whole(desk, alone)


@pytest.mark.slow
def test_the_words_of_the_file_bring_a_run_home_before_it_is_complete(
    desk: Desk, alone: Path
) -> None:
    name = "without_shared_folder.sub"
    text = (FILES / name).read_text(encoding="utf-8")
    words = next(line for line in text.splitlines() if line.startswith("#   condor_qedit"))
    desk.submit(name, "--max-chunks 3", waits=True)
    until_it_works(desk)
    for command in words.strip("# ").replace("ID", desk.job).split(" && "):
        desk.pool.do(*command.split())
    until(desk.has_left)
    assert desk.history()["ExitCode"] == 75
    assert 3 <= desk.bench().commits() < CHUNKS
    desk.submit(name)
    until(desk.has_left)
    whole(desk, alone)


@pytest.mark.slow
def test_jobs_of_one_submission_share_one_run(desk: Desk, alone: Path) -> None:
    desk.submit("shared_folder.sub", "--shared-folder", queue="queue 3", waits=True)
    until(lambda: len(list((desk.run / "ledger").glob("*.jsonl"))) == 3)
    until(desk.has_left)
    whole(desk, alone)
