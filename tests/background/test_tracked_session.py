"""Can a run be left, come back to, and ended, whatever happens to its session?"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from itertools import product
from pathlib import Path

import psutil
import pytest

from ptyrun.comparison.content import check_content
from ptyrun.comparison.run import Run
from ptyrun.engine.integrity import verify
from ptyrun.engine.repair import repair
from ptyrun.errors import DamageError
from ptyrun.host import checksums
from ptyrun.host.locks import Lock
from ptyrun.paths import RunPaths
from tests.paced import Bench, on_tmpfs, until

SLOW: dict[str, str | float] = {"batch_s": 0.7}


def test_a_completed_session_says_so_after_all_is_there(finished: Bench) -> None:
    completion = finished.document("completion.json")
    assert completion["exit_code"] == 0
    assert completion["windows"] == 2
    assert completion["counts"]["chunks_committed"] == completion["counts"]["chunks_total"] == 6
    assert completion["counts"]["groups_committed"] == 24
    ended = finished.document("process.json")
    assert completion["session"] == ended["session"]
    assert (ended["exit_code"], ended["windows"], ended["evidence"]) == (0, 2, "")
    assert ended["counts"] == completion["counts"]
    assert ended["ended_at"] == completion["finished_at"] >= ended["started_at"]
    assert completion["manifest_digest"] == finished.document("manifest.json")["digest"]
    said = finished.do("wait").stdout
    assert "6/6 chunks, 24/24 groups, 2 windows of this session" in said


def test_a_completion_names_every_artifact_by_a_digest_that_coreutils_agree_with(
    finished: Bench,
) -> None:
    artifacts = finished.document("completion.json")["artifacts"]
    assert {"results.json", "comparison_metrics.csv", "comparison_plot.png"} < set(artifacts)
    assert {"reconstructions.npz", "pinn_frc_curves.csv", "objects.zarr/", "report/"} < set(
        artifacts
    )
    for name, digest in artifacts.items():
        path = finished.run / name
        if not name.endswith("/"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
            continue
        listing = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum"
        said = subprocess.run(listing, shell=True, cwd=path, capture_output=True, text=True)
        assert said.stdout.split()[0] == digest


def test_a_finished_session_leaves_nothing_running_and_nothing_to_stop(finished: Bench) -> None:
    until(lambda: not finished.processes())
    done = finished.do("stop")
    assert done.returncode == 0
    assert "ended already" in done.stdout


def test_the_log_holds_what_the_session_said(finished: Bench) -> None:
    tail = finished.do("logs", "-n", "1").stdout
    assert tail == "complete, by its content\n"
    whole = finished.do("logs", "-f", "-n", "1000").stdout
    assert "3 chunks done" in whole
    assert whole.endswith(tail)


VITAL = [
    "arrays.zarr/pinn/patches/c.2.0.0",
    "objects.zarr/pinn/object/c.0.0",
    "results.json",
    "comparison_plot.png",
    "comparison_metrics.csv",
]


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        *product(VITAL, ["gone"]),
        *product([*VITAL, "reconstructions.npz", "report/index.html"], ["cut", "empty"]),
    ],
)
def test_nothing_is_complete_while_something_is_missing_or_cut(
    finished: Bench, tmp_path: Path, name: str, harm: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.run, run)
    victim = run / name
    data = victim.read_bytes()
    victim.unlink()
    if harm != "gone":
        victim.write_bytes(data[: 2 * len(data) // 3] if harm == "cut" else b"")
    with pytest.raises(Exception, match=r"results\.json|not as|not complete") as refused:
        check_content(Run(run))
    assert name.split("/")[0] in str(refused.value)


def test_results_do_not_stand_for_chunks_that_the_ledger_lacks(
    finished: Bench, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.run, run)
    (run / "arrays.zarr/pinn/patches/c.3.0.0").unlink()
    assert repair(RunPaths(run), verify(RunPaths(run))) == []
    with pytest.raises(DamageError, match="it lacks 1 chunk of pinn"):
        check_content(Run(run))


def test_a_flipped_bit_in_a_chunk_is_not_complete(finished: Bench, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.run, run)
    check_content(Run(run))
    victim = run / "arrays.zarr/pinn/patches/c.4.0.0"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(DamageError, match=r"c\.4\.0\.0"):
        check_content(Run(run))


def test_results_of_another_run_are_not_complete(finished: Bench, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.run, run)
    results = (run / "results.json").read_text()
    digest = finished.document("manifest.json")["digest"]
    (run / "results.json").write_text(results.replace(str(digest), "0" * 64))
    checksums.write(run, [run / name for name in checksums.vouched(run)])
    with pytest.raises(DamageError, match="quotes manifest 000000"):
        check_content(Run(run))


def test_a_session_is_detached_and_says_who_it_is(bench: Bench) -> None:
    gate = bench.close_gate()  # the session does not end before `start` does
    done = bench.do("start", "--window", "600s")
    who = bench.document("process.json")
    session = psutil.Process(who["pid"])
    assert session.cmdline() == who["argv"]
    assert os.getsid(session.pid) == session.pid
    assert session.terminal() is None
    assert Path(f"/proc/{session.pid}/fd/0").resolve() == Path("/dev/null")
    assert Path(f"/proc/{session.pid}/fd/1").resolve() == bench.run / who["log"]
    for said in (str(session.pid), who["host"], who["log"]):
        assert said in done.stdout
    assert who["boot_id"] not in done.stdout, "it is for programs"

    waited = bench.do("wait", "--timeout", "0.2s")
    assert waited.returncode == 75
    assert "timeout" in waited.stderr
    assert "is alive" in waited.stderr

    second = bench.do("start")
    assert second.returncode == 1
    for said in (f"PID {session.pid}", str(who["host"]), str(who["log"]), "ptyrun stop"):
        assert said in second.stderr

    until(bench.commits)
    stop = bench.begin("stop")
    until(bench.asked)
    gate.touch()
    said, complaints = stop.communicate(timeout=300)
    assert stop.returncode == 0, complaints
    assert "ended by SIGTERM" in said
    assert not bench.processes()
    ended = bench.document("process.json")
    assert ended["exit_code"] == 75
    assert "SIGTERM" in ended["reason"]
    assert 0 < ended["counts"]["chunks_committed"] < 6
    assert not (bench.run / "completion.json").exists()
    assert bench.do("wait").returncode == 75


def test_a_living_session_is_no_less_alive_for_its_lock_file_being_deleted(bench: Bench) -> None:
    bench.close_gate()
    pid = bench.start()
    (bench.run / "process.lock").unlink()
    second = bench.do("start")
    assert second.returncode == 1
    assert f"PID {pid}" in second.stderr
    assert bench.document("process.json")["pid"] == pid


def test_of_two_simultaneous_starts_exactly_one_wins(bench: Bench) -> None:
    bench.pace = SLOW
    rivals = [bench.begin("start") for _ in range(3)]
    said = [rival.communicate(timeout=300) for rival in rivals]
    assert sorted(rival.returncode for rival in rivals) == [0, 1, 1]
    pid = bench.document("process.json")["pid"]
    for rival, (_, complaint) in zip(rivals, said, strict=True):
        if rival.returncode:
            assert f"PID {pid}" in complaint
    sessions = [p for p in bench.processes() if "--foreground" in p.cmdline()]
    assert [session.pid for session in sessions] == [pid]


def test_a_killed_session_is_told_from_a_finished_one_and_leaves_no_stale_lock(
    bench: Bench,
) -> None:
    bench.pace = SLOW
    pid = bench.start()
    until(bench.commits)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not bench.processes())
    done = bench.do("wait")
    assert done.returncode == 1
    assert "died without recording how it ended" in done.stderr
    assert f"no process has PID {pid}" in done.stderr
    assert not (bench.run / "completion.json").exists()
    assert (bench.run / "process.lock").exists(), "the dead left its lock file behind"
    assert bench.start() != pid
    assert "ended already" not in bench.do("stop").stdout


def test_what_does_not_hear_is_killed_with_all_its_children(bench: Bench) -> None:
    bench.inline = False
    bench.pace = {"batch_s": 0.0, "hangs": str(bench.run / "hangs")}
    bench.start("--unconfined=pinn")
    until((bench.run / "hangs").exists)
    done = bench.do("stop", "--grace", "0.5s")
    assert "not ended by SIGTERM within 0.5 s" in done.stdout
    assert done.stdout.count("killed by SIGKILL") == 3
    assert not bench.processes()
    assert "died without recording how it ended" in bench.do("wait").stderr


def test_a_stopped_session_can_be_stopped_for_good(bench: Bench) -> None:
    bench.pace = SLOW
    pid = bench.start()
    os.kill(pid, signal.SIGSTOP)
    assert bench.do("wait", "--timeout", "0.1s").returncode == 75
    assert bench.do("start").returncode == 1
    assert "killed by SIGKILL" in bench.do("stop", "--grace", "0.3s").stdout
    assert not bench.processes()


def test_a_session_that_ends_in_an_error_says_which(bench: Bench) -> None:
    bench.pace = {"batch_s": 0.0, "fails": True}
    bench.start()
    done = bench.do("wait")
    assert done.returncode == 1
    assert "`ptyrun run` ended with exit code 1" in done.stdout
    assert "quarantined" in done.stderr or "failed" in done.stderr
    assert bench.document("process.json")["exit_code"] == 1
    assert not (bench.run / "completion.json").exists()


def test_a_run_whose_bytes_are_not_those_committed_is_not_complete_though_all_else_went_well(
    finished: Bench, tmp_path: Path
) -> None:
    bench = Bench(finished.inputs, tmp_path / "run")
    shutil.copytree(finished.run, bench.run)
    (bench.run / "completion.json").unlink()
    # The table of groups, which nothing reads while results are current: run, finalize and report
    # see nothing.
    table = bench.run / "arrays.zarr/index/pinn/frames/c.0.0"
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)
    bench.start()
    assert bench.do("wait").returncode == 1
    ended = bench.document("process.json")
    assert ended["exit_code"] == 1
    assert "arrays.zarr/index/pinn/frames" in ended["reason"]
    assert not (bench.run / "completion.json").exists()


def test_a_repair_withdraws_what_a_session_said(finished: Bench, tmp_path: Path) -> None:
    bench = Bench(finished.inputs, tmp_path / "run")
    shutil.copytree(finished.run, bench.run)
    (bench.run / "arrays.zarr/pinn/patches/c.3.0.0").unlink()
    assert bench.do("verify", "--repair").returncode == 0
    assert not (bench.run / "completion.json").exists(), "not all is done any more"


def test_a_new_session_withdraws_what_an_earlier_one_said(finished: Bench, tmp_path: Path) -> None:
    bench = Bench(finished.inputs, tmp_path / "run", pace=SLOW)
    shutil.copytree(finished.run, bench.run)
    completion = bench.run / "completion.json"
    earlier = bench.document("completion.json")["session"]
    for chunk in range(1, 6):
        (bench.run / f"arrays.zarr/pinn/patches/c.{chunk}.0.0").unlink()
    bench.start()
    assert not completion.exists() or bench.document("completion.json")["session"] != earlier
    assert bench.do("stop").returncode == 0
    assert not completion.exists() or bench.document("completion.json")["session"] != earlier


def test_a_session_in_the_foreground_proves_itself_as_well(bench: Bench) -> None:
    bench.pace = SLOW
    service = bench.begin("start", "--foreground", before=["setsid", "-w"])
    until(bench.commits)
    done = bench.do("stop")
    assert "ended by SIGTERM" in done.stdout, done.stderr
    service.communicate(timeout=300)
    assert bench.document("process.json")["exit_code"] == 75


def test_a_run_that_is_not_planned_is_not_started(bench: Bench) -> None:
    (bench.run / "manifest.json").unlink()
    done = bench.do("start")
    assert done.returncode == 2
    assert not (bench.run / "process.json").exists()


@pytest.mark.parametrize(
    ("how", "why"), [("full", "could not say why"), ("read-only", "the file system is read-only")]
)
def test_a_disk_that_takes_nothing_starts_nothing(bench: Bench, how: str, why: str) -> None:
    done = bench.do("start", before=on_tmpfs(bench.run, how))
    if "not permitted" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert done.returncode == 1
    assert why in done.stderr
    assert not bench.processes()


@pytest.mark.parametrize("command", ["wait", "stop", "logs"])
def test_without_a_session_there_is_nothing_to_speak_of(bench: Bench, command: str) -> None:
    done = bench.do(command)
    assert done.returncode == 2
    assert "no background session was ever started" in done.stderr
    assert "ptyrun start" in done.stderr
    assert "process.json" not in done.stderr


def test_a_process_that_leads_no_session_is_not_tracked(bench: Bench) -> None:
    done = bench.do("start", "--foreground")
    assert done.returncode == 2
    assert "setsid" in done.stderr
    bench.pace = {"batch_s": 0.0, "fails": True}
    done = bench.do("start", "--foreground", before=["setsid", "-w"])
    assert done.returncode == 1
    assert bench.document("process.json")["log"] == ""
    assert bench.document("process.json")["exit_code"] == 1
    assert not (bench.run / "completion.json").exists()


def test_a_session_on_another_host_is_neither_believed_dead_nor_doubled(bench: Bench) -> None:
    bench.pace = SLOW
    far = ["unshare", "--uts", "sh", "-c", 'hostname far-away && exec "$@"', "sh"]
    started = bench.do("start", before=far)
    if "not permitted" in started.stderr or shutil.which("unshare") is None:
        pytest.skip("another host name is not allowed here")
    assert started.returncode == 0, started.stderr
    for command in ("start", "stop"):
        done = bench.do(command)
        assert done.returncode == 1
        assert "far-away" in done.stderr
    assert "out of sight" in bench.do("wait", "--timeout", "0.1s").stderr
    # Not seen from here, but the kernel is the same: its lock still keeps a second one out.
    assert "far-away" in bench.do("start", "--take-over").stderr
    assert bench.do("stop", before=far).returncode == 0
    assert bench.do("wait").returncode == 75


@pytest.mark.slow
def test_a_run_is_not_planned_anew_under_a_session_that_has_computed_nothing_yet(
    bench: Bench,
) -> None:
    before = bench.document("manifest.json")
    words = [
        *["plan", f"--pinn_dir={bench.inputs / 'model'}", f"--output_dir={bench.run}"],
        *[f"--test_data={bench.inputs / 'scan.npz'}", "--n-test-groups=24"],
        *["--pinn-chunk-size=4", "--pinn-predict-batch-size=4", "--ms-ssim-sigma=2"],
    ]
    with Lock(RunPaths(bench.run).process_lock) as lock:
        assert lock.try_acquire()
        for more in ("--new", "--invalidate=results"):
            done = bench.do(*words, more)
            assert done.returncode == 1, done.stderr
            assert f"PID {os.getpid()}" in done.stderr
            assert "in the background" in done.stderr
    assert bench.document("manifest.json") == before
    assert [path.name for path in bench.run.parent.glob("run*")] == ["run"]
    assert bench.do(*words, "--new").returncode == 0
