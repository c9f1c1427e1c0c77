"""Do several processes work on one run side by side as one would, and end together?"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from ptyrun.cli.options import session_options
from ptyrun.config import SessionOptions
from ptyrun.errors import BusyError, ExitCode
from ptyrun.host.devices import hold_devices
from ptyrun.stages.finalize import finalize
from tests.paced import Bench, until, windows_s
from tests.studies import content


def sessions(run: Path) -> list[list[dict[str, Any]]]:
    """The lines of every session."""
    files = sorted((run / "ledger").glob("*.jsonl"))
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]


def events(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == kind]


def workers_of(bench: Bench, parent: subprocess.Popen[str]) -> list[psutil.Process]:
    return [process for process in bench.processes() if process.ppid() == parent.pid]


@pytest.fixture(scope="module")
def two_arms(inputs: Path) -> Path:
    """A planned run of two arms that compute."""
    run = inputs / "two-arms"
    model = inputs / "model"
    done = Bench(inputs, run).do(
        *["plan", f"--pinn_dir={model}", f"--test_data={inputs / 'scan.npz'}"],
        f"--arm=name=second,path={model},chunk=4,batch=4",
        *[f"--output_dir={run}", "--no-vector-plots", "--n-test-groups=24"],
        *["--pinn-chunk-size=4", "--pinn-predict-batch-size=4"],
    )
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def both(bench: Bench, two_arms: Path) -> Bench:
    """A run of two arms of its own."""
    shutil.rmtree(bench.run)
    shutil.copytree(two_arms, bench.run)
    return bench


def patches(run: Path) -> dict[str, bytes]:
    """Every stored byte of the patches."""
    return {path.name: path.read_bytes() for path in run.glob("arrays.zarr/*/patches/*")}


@pytest.fixture(scope="module")
def alone(two_arms: Path, tmp_path_factory: pytest.TempPathFactory, inputs: Path) -> Path:
    """What one process makes of the run with two arms."""
    bench = Bench(inputs, tmp_path_factory.mktemp("alone") / "run")
    shutil.copytree(two_arms, bench.run)
    assert bench.do("run").returncode == 0
    finalize(bench.run)
    return bench.run


@pytest.mark.slow
def test_three_workers_end_in_the_bytes_of_one(both: Bench, alone: Path) -> None:
    gate = both.close_gate()  # so that a worker that starts late still finds something
    parent = both.begin("run", "--workers", "3")
    until(lambda: sum(bool(events(s, "start")) for s in sessions(both.run)) == 3)
    gate.touch()
    said, complaints = parent.communicate(timeout=300)
    assert parent.returncode == 0, complaints
    assert "complete" in said
    assert "predict PtychoPINN: 24/24 groups" in complaints
    crew = sessions(both.run)
    assert len(crew) == 3
    assert {events(lines, "start")[0]["arm"] for lines in crew} == {"pinn", "second"}
    assert len({lines[0]["crew"] for lines in crew}) == 1
    finalize(both.run)
    assert content(both.run) == content(alone)
    assert patches(both.run) == patches(alone)
    assert "1 window so far" in both.do("status").stdout


def test_two_processes_work_on_one_arm_each(both: Bench, alone: Path) -> None:
    begun = [both.begin("run", "--arm", arm) for arm in ("pinn", "second")]
    for process in begun:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    arms = [{line["arm"] for line in events(lines, "commit")} for lines in sessions(both.run)]
    assert sorted(map(sorted, arms)) == [["pinn"], ["second"]]
    assert patches(both.run) == patches(alone)


def test_a_killed_worker_does_not_end_the_others(both: Bench, alone: Path) -> None:
    gate = both.close_gate()
    parent = both.begin("run", "--workers", "3")
    until(both.commits)
    victim = workers_of(both, parent)[1]
    victim.kill()
    gate.touch()
    _, said = parent.communicate(timeout=300)
    assert parent.returncode == 0, said
    assert f"(PID {victim.pid}) was killed by SIGKILL" in said
    assert patches(both.run) == patches(alone)


def test_workers_that_all_die_in_vain_end_in_an_error(bench: Bench) -> None:
    bench.pace = {"batch_s": 600.0}
    parent = bench.begin("run", "--workers", "2")
    until(lambda: sum(len(events(s, "start")) for s in sessions(bench.run)) == 2)
    for worker in workers_of(bench, parent):
        worker.kill()
    _, said = parent.communicate(timeout=300)
    assert parent.returncode == ExitCode.FAILED
    assert "2 workers died" in said
    assert "2 by SIGKILL" in said


def test_the_window_counts_from_the_parents_start_and_closes_all(bench: Bench) -> None:
    bench.close_gate()
    for window_s in windows_s():
        done = bench.do("run", "--workers", "3", "--window", f"{window_s}s")
        assert done.returncode == ExitCode.INCOMPLETE, done.stderr
        until(lambda: not bench.processes())
        crew = [lines for lines in sessions(bench.run) if lines]  # those that had begun
        assert all(lines[0]["budget_s"] < window_s for lines in crew)
        assert {lines[-1].get("exit_code", ExitCode.INCOMPLETE) for lines in crew} <= {75}
        if len(crew) >= 3:
            break


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_every_worker_once(bench: Bench, sent: int) -> None:
    gate = bench.close_gate()
    parent = bench.begin("run", "--workers", "2")
    until(lambda: sum(len(events(s, "commit")) > 0 for s in sessions(bench.run)) == 2)
    parent.send_signal(sent)
    # One that was between two chunks has ended by then; any other waits in a chunk.
    until(lambda: bench.asked_or_ended() == 2)
    gate.touch()
    said, complaints = parent.communicate(timeout=300)
    assert parent.returncode == ExitCode.INCOMPLETE, complaints
    assert "remain" in said
    assert not bench.processes()
    assert all(events(lines, "close") for lines in sessions(bench.run)), "closed in good order"


def test_no_worker_outlives_a_killed_parent(bench: Bench) -> None:
    bench.close_gate()
    parent = bench.begin("run", "--workers", "2")
    until(lambda: len(sessions(bench.run)) == 2)
    parent.kill()
    parent.communicate()
    until(lambda: not bench.processes())


def test_workers_share_the_number_of_chunks(bench: Bench) -> None:
    done = bench.do("run", "--workers", "3", "--max-chunks", "4")
    assert done.returncode == ExitCode.INCOMPLETE, done.stderr
    assert bench.commits() == 4
    done = bench.do("run", "--workers", "3", "--max-chunks", "1")
    assert bench.commits() == 5
    assert len(sessions(bench.run)) == 4, "one chunk is for one worker"


def test_workers_of_one_window_count_as_one_without_progress(bench: Bench) -> None:
    codes: list[int] = []
    # Windows that end before they reach the run are counted for themselves: five at most.
    while not codes or codes[-1] == ExitCode.INCOMPLETE:
        codes.append(bench.do("run", "--workers=2", "--window=0.1s").returncode)
    assert codes[-1] == ExitCode.FAILED
    assert 3 <= len(codes) <= 5


def test_the_third_window_whose_workers_are_all_cut_is_an_error(bench: Bench) -> None:
    bench.pace["hangs"] = str(bench.run.with_name("begun"))
    windows = [bench.do("run", "--workers=2", "--window=3s") for _ in range(3)]
    codes = [each.returncode for each in windows]
    assert codes == [ExitCode.INCOMPLETE, ExitCode.INCOMPLETE, ExitCode.FAILED]
    assert "use --window" in windows[-1].stderr


def test_what_all_workers_complain_of_is_said_once(bench: Bench) -> None:
    manifest = bench.run / "arrays.zarr" / "index" / "pinn" / "frames" / "c.0.0"
    data = bytearray(manifest.read_bytes())
    data[40] ^= 1
    manifest.write_bytes(data)
    done = bench.do("run", "--workers", "2")
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.count("error:") == 1, done.stderr
    assert done.stderr.count("  do:  ") == 1


def test_nothing_left_is_found_by_one_worker(bench: Bench) -> None:
    assert bench.do("run").returncode == 0
    done = bench.do("run", "--workers", "3")
    assert done.returncode == 0, done.stderr
    assert "nothing was left to compute" in done.stdout
    assert len(sessions(bench.run)) == 2


def test_workers_share_what_their_run_holds_and_others_do_not(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", bench.environment["XDG_RUNTIME_DIR"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with hold_devices(tmp_path / "another run", 0, lock_cpu=True):
        refused = bench.do("run", "--lock-cpu", "--workers", "2")
    assert refused.returncode == ExitCode.FAILED
    assert "another run" in refused.stderr
    assert not (bench.run / "ledger").exists(), "found before a worker begins"
    gate = bench.close_gate()
    parent = bench.begin("run", "--lock-cpu", "--workers", "2")
    until(bench.commits)
    with pytest.raises(BusyError, match=f"PID {parent.pid}"), hold_devices(tmp_path, 0, True):
        pass
    gate.touch()
    _, said = parent.communicate(timeout=300)
    assert parent.returncode == 0, said


def test_a_comparison_and_a_driven_run_take_workers_too(bench: Bench) -> None:
    driven = bench.do("run", "--until-complete", "--workers", "2", "--max-chunks", "4")
    assert driven.returncode == 0, driven.stderr
    assert len(sessions(bench.run)) == 4
    words = [
        *[*bench.words("plan")[:3], "compare", "--workers=2"],
        *[f"--pinn_dir={bench.inputs / 'model'}", f"--test_data={bench.inputs / 'scan.npz'}"],
        *[f"--output_dir={bench.run}-2", "--n-test-groups=24"],
        *["--pinn-chunk-size=4", "--pinn-predict-batch-size=4"],
    ]
    done = subprocess.run(
        words, env=bench.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "results in" in done.stdout
    assert len(sessions(Path(f"{bench.run}-2"))) == 2


@pytest.mark.parametrize(
    "session",
    [
        SessionOptions(),
        SessionOptions(170.5, 3, ("pinn", "second"), True, 5.0, True, workers=3),
        SessionOptions(dask="tcp://scheduler:8786"),
        SessionOptions(trusted_arms=("pinn", "second")),
    ],
)
def test_what_a_session_is_told_can_be_told_again(session: SessionOptions) -> None:
    from ptyrun.cli.run import command

    context = command.make_context("run", ["RUN", *session.words()])
    given = {name: value for name, value in context.params.items() if name != "run_dir"}
    for name in ("until_complete", "crew"):
        given.pop(name)
    assert session_options(given) == session
