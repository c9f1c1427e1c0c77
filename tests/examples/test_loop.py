"""Do the loop scripts and the make targets drive windows as they say?

ptyrun itself is stood in for by a script that notes how it was called and ends with the exit codes
it was given, because these tests are about the callers: real runs are in ``tests/cli``.
"""

from __future__ import annotations

import os
import signal
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.examples.stage import LOOP, Stage, end, stage, wait_for

__all__ = ["stage"]


def pairs(call: list[str]) -> dict[str, str]:
    return {
        word: "" if following.startswith("--") else following
        for word, following in zip(call, [*call[1:], "--"], strict=True)
        if word.startswith("--")
    }


def test_a_debug_target_gives_the_debug_command_line(stage: Stage) -> None:
    stage.ends_with(0)
    assert stage.make("debug-test").returncode == 0
    (call,) = stage.calls()
    assert call[0] == "compare"
    assert pairs(call) == {
        "--pinn_dir": f"{stage.hub}/data/phase_e/dose_1000/dense/gs2",
        "--baseline_dir": f"{stage.hub}/data/phase_e/dose_1000/baseline/gs1",
        "--test_data": f"{stage.hub}/data/phase_c/dose_1000/patched_test.npz",
        "--output_dir": f"{stage.hub}/analysis/dose_1000/dense/test_debug_v4",
        "--n-test-groups": "320",
        "--pinn-chunk-size": "160",
        "--pinn-predict-batch-size": "16",
        "--baseline-debug-limit": "320",
        "--baseline-chunk-size": "160",
        "--baseline-predict-batch-size": "16",
        "--phase-align-method": "plane",
        "--frc-sigma": "0.5",
        "--tike_recon_path": (
            f"{stage.hub}/data/phase_f/dose_1000/dense/test/ptychi_reconstruction.npz"
        ),
        "--register-ptychi-only": "",
        "--window": "170s",
    }


def test_a_full_target_takes_all_groups_and_its_own_split(stage: Stage) -> None:
    stage.ends_with(0)
    assert stage.make("full-train", DOSE="10000", VIEW="sparse", WINDOW="1h").returncode == 0
    words = pairs(stage.calls()[0])
    assert not {"--n-test-groups", "--baseline-debug-limit"} & set(words)
    assert words["--pinn-chunk-size"] == words["--baseline-chunk-size"] == "256"
    assert words["--window"] == "1h"
    assert words["--test_data"].endswith("/phase_c/dose_10000/patched_train.npz")
    assert words["--output_dir"].endswith("/analysis/dose_10000/sparse/train")
    assert "/dose_10000/sparse/train/" in words["--tike_recon_path"]


def test_trust_in_models_is_handed_on_and_given_to_the_demo_alone(stage: Stage) -> None:
    stage.ends_with(0, 0, 0)
    assert stage.make("full-test", TRUST="pinn baseline").returncode == 0
    assert stage.make("full-test").returncode == 0
    assert stage.make("full-test", HUB="demo/hub").returncode == 0
    words = [
        [following for word, following in pairwise(call) if word == "--trust-model"]
        for call in stage.calls()
    ]
    assert words == [["pinn", "baseline"], [], ["pinn"]]


def test_the_only_dose_of_a_hub_need_not_be_told_and_chunks_can_be(stage: Stage) -> None:
    stage.ends_with(0, 0)
    (stage.hub / "data/phase_c/dose_500").mkdir(parents=True)
    assert stage.make("full-train", CHUNK="64", HUB=f"{stage.hub}/").returncode == 0
    (stage.hub / "data/phase_c/dose_1000").mkdir()
    assert stage.make("full-train").returncode == 0
    one, several = map(pairs, stage.calls())
    assert "/phase_c/dose_500/" in one["--test_data"]
    assert one["--pinn-chunk-size"] == one["--baseline-chunk-size"] == "64"
    assert "/phase_c/dose_1000/" in several["--test_data"]


def test_a_window_takes_sizes_and_more_words(stage: Stage) -> None:
    stage.ends_with(0, 0)
    window = LOOP / "window.sh"
    sizes = {"DEBUG_GROUPS": "9", "BATCH": "3", "N_GROUPS": "50", "CHUNK": "7"}
    for form in ("debug", "full"):
        done = stage.do(window, "test", form, "--workers", "2", **sizes)
        assert done.returncode == 0, done.stderr
    debug, full = map(pairs, stage.calls())
    assert debug["--n-test-groups"] == debug["--baseline-debug-limit"] == "9"
    assert debug["--pinn-chunk-size"] == debug["--baseline-chunk-size"] == "5"
    assert full["--n-test-groups"] == "50"
    assert full["--pinn-chunk-size"] == "7"
    for call in (debug, full):
        assert call["--pinn-predict-batch-size"] == call["--baseline-predict-batch-size"] == "3"
        assert call["--workers"] == "2"
    assert stage.do(window, "test", "full", BATCH="many").returncode == 2
    assert len(stage.calls()) == 2


def test_a_window_calls_the_ptyrun_of_the_path_where_the_clone_has_none(
    stage: Stage, tmp_path: Path
) -> None:
    stage.ends_with(0)
    alone = tmp_path / "window.sh"
    alone.write_bytes((LOOP / "window.sh").read_bytes())
    alone.chmod(0o755)
    del stage.environment["PTYRUN"]
    done = stage.do(alone, "test", "full", PATH=f"{stage.folder}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert stage.calls()[0][0] == "compare"


def test_a_full_target_asks_for_the_debug_run_of_its_split_when_told_to(stage: Stage) -> None:
    stage.ends_with(0, 0, 0)
    for target in ("full-train", "debug-train"):
        assert stage.make(target, REQUIRE_DEBUG="1").returncode == 0
    assert stage.make("full-train").returncode == 0
    asked, debug, plain = map(pairs, stage.calls())
    assert asked["--require-debug"] == debug["--output_dir"]
    assert "--require-debug" not in {**debug, **plain}
    assert stage.make("full-train", REQUIRE_DEBUG="yes").returncode == 2
    assert len(stage.calls()) == 3


def test_without_a_hub_the_targets_are_about_the_demo(stage: Stage) -> None:
    stage.ends_with(0)
    del stage.environment["HUB"]
    assert stage.make("full-test").returncode == 0
    words = pairs(stage.calls()[0])
    assert words["--test_data"] == "demo/hub/data/phase_c/dose_100000/patched_test.npz"
    assert words["--pinn-chunk-size"] == "64", "as the demo itself cuts it"


def test_an_incomplete_window_is_no_failure_to_make_and_says_how_to_go_on(stage: Stage) -> None:
    stage.ends_with(75)
    done = stage.make("full-test")
    assert done.returncode == 0
    assert "make full-test" in done.stdout
    assert "make loop-full-test" in done.stdout
    assert "***" not in done.stderr


@pytest.mark.parametrize("code", [1, 2, 3])
def test_a_real_error_fails_the_target(stage: Stage, code: int) -> None:
    stage.ends_with(code)
    assert stage.make("full-test").returncode == 2


def test_a_loop_target_repeats_windows_until_complete(stage: Stage) -> None:
    stage.ends_with(75, 75, 0)
    assert stage.make("loop-debug-train").returncode == 0
    assert len(stage.calls()) == 3


def test_a_loop_target_stops_at_a_real_error(stage: Stage) -> None:
    stage.ends_with(75, 3, 0)
    assert stage.make("loop-full-test").returncode == 2
    assert len(stage.calls()) == 2


def test_until_complete_hands_the_exit_code_on(stage: Stage) -> None:
    stage.ends_with(75, 3)
    assert stage.do(LOOP / "until_complete.sh", stage.ptyrun, "run", "x").returncode == 3


def test_a_killed_window_is_followed_by_another_and_this_is_said(stage: Stage) -> None:
    stage.ends_with(137, 139, 75, 0)
    done = stage.do(LOOP / "until_complete.sh", stage.ptyrun, "run", "x")
    assert done.returncode == 0
    assert ["killed by SIGKILL" in done.stderr, "killed by SIGSEGV" in done.stderr] == [True, True]


def test_windows_that_are_killed_without_progress_come_to_an_end(stage: Stage) -> None:
    stage.ends_with(*[137] * 7, "137 0", *[137] * 20)
    done = stage.do(LOOP / "until_complete.sh", stage.ptyrun, "run", "x")
    assert done.returncode == 1
    assert len(stage.calls()) == 15, "the eighth had achieved something"
    assert "free memory" in done.stderr


@pytest.mark.parametrize("code", [1, 75])
def test_a_loop_takes_the_window_that_it_is_told_would_do(stage: Stage, code: int) -> None:
    stage.ends_with(f"{code} 38", "75 0", 0)
    loop: list[str | Path] = [LOOP / "until_complete.sh", LOOP / "window.sh", "test", "full"]
    done = stage.do(*loop, WINDOW="5s")
    assert done.returncode == 0, done.stderr
    assert [pairs(call)["--window"] for call in stage.calls()] == ["5s", "38s", "38s"]
    assert "takes 38 s" in done.stderr


def test_a_loop_adds_the_window_that_would_do_to_a_command_of_its_own(stage: Stage) -> None:
    stage.ends_with("1 38", 0)
    done = stage.do(LOOP / "until_complete.sh", stage.ptyrun, "run", "x", "--window", "5s")
    assert done.returncode == 0
    assert stage.calls()[1][-4:] == ["--window", "5s", "--window", "38s"]


def test_a_loop_that_is_told_the_same_again_hands_the_error_on(stage: Stage) -> None:
    stage.ends_with("1 38", "1 38", 0)
    assert stage.do(LOOP / "until_complete.sh", stage.ptyrun, "run", "x").returncode == 1
    assert len(stage.calls()) == 2


@pytest.mark.parametrize("words", [(), ("test",), ("both", "full"), ("test", "half")])
def test_a_window_without_split_or_form_starts_nothing(
    stage: Stage, words: tuple[str, ...]
) -> None:
    assert stage.do(LOOP / "window.sh", *words).returncode == 2
    assert not (stage.folder / "calls").exists()


@pytest.mark.parametrize("script", ["until_complete.sh", "cron.sh", "window.sh"])
def test_a_script_without_words_says_which_it_takes(stage: Stage, script: str) -> None:
    done = stage.do(LOOP / script)
    assert done.returncode == 2
    assert f"{script} " in done.stderr


def test_cron_is_silent_unless_something_is_wrong(stage: Stage) -> None:
    stage.ends_with(75, 0, 1)
    for _ in range(2):
        done = stage.do(LOOP / "cron.sh", "test", "full")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = stage.do(LOOP / "cron.sh", "test", "full")
    assert done.returncode == 1
    assert "exit code 1" in done.stdout


def test_cron_never_runs_two_windows_at_once(stage: Stage) -> None:
    (stage.folder / "sleeps").touch()
    first = subprocess.Popen([LOOP / "cron.sh", "test", "full"], env=stage.environment)
    try:
        wait_for(stage.folder / "sleeping")
        assert stage.do(LOOP / "cron.sh", "test", "full").returncode == 0
        assert len(stage.calls()) == 1
    finally:
        end(first)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loop_that_is_ended_closes_its_window_and_begins_no_other(
    stage: Stage, number: signal.Signals
) -> None:
    (stage.folder / "sleeps").touch()
    command = [str(LOOP / "until_complete.sh"), str(stage.ptyrun), "run", "x"]
    loop = subprocess.Popen(command, env=stage.environment, start_new_session=True)
    try:
        wait_for(stage.folder / "sleeping")
        os.killpg(loop.pid, number) if number == signal.SIGINT else loop.send_signal(number)
        assert loop.wait(timeout=300) == 75
        assert len(stage.calls()) == 1
        with pytest.raises(ProcessLookupError):  # not even a child of it is left
            os.killpg(loop.pid, 0)
    finally:
        end(loop)


def test_a_window_that_is_asked_to_end_before_it_listens_ends_the_loop_with_75(
    stage: Stage,
) -> None:
    (stage.folder / "deaf").touch()
    (stage.folder / "sleeps").touch()
    command = [str(LOOP / "until_complete.sh"), str(stage.ptyrun), "run", "x"]
    loop = subprocess.Popen(command, env=stage.environment)
    try:
        wait_for(stage.folder / "sleeping")
        loop.terminate()
        assert loop.wait(timeout=300) == 75
        assert len(stage.calls()) == 1
    finally:
        end(loop)
