"""Does a study run in windows, whatever stops it, and tell in exit codes how far it came?"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words
from tests.study.hubs import contents, write_base
from tests.study.kills import kill_until_done

PATIENCE_S = 300
FRAMEWORKS = {"tensorflow", "torch", "keras", "zarr", "numpy", "scipy"}
SMALL = ("--n-groups", "8", "--neighbor-count", "5", "--name", "small")


def study(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ptyrun_words("study", *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        cwd=cwd,
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_base(tmp_path / "base.npz")


def words_of(hub: Path, base: Path, *more: str) -> list[str]:
    return [
        *("run", "--hub", str(hub), "--base-npz", str(base), "--dose", "1000"),
        *("--view", "dense", "--splits", "train", *SMALL, *more),
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one dose, one view and one half, made in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = study(*words_of(folder / "hub", write_base(folder / "base.npz")))
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    return folder / "hub"


def test_a_complete_study_called_again_makes_nothing_and_writes_nothing(undisturbed: Path) -> None:
    before = changes_of(undisturbed)
    began_s = time.monotonic()
    done = study("run", "--hub", str(undisturbed))
    assert done.returncode == ExitCode.COMPLETE
    assert done.stdout.startswith("0 stages made; 7 done\n")
    assert time.monotonic() - began_s < PATIENCE_S
    assert changes_of(undisturbed) == before


def test_a_process_that_finds_its_stage_made_does_not_claim_to_have_made_it(
    undisturbed: Path,
) -> None:
    """A session tells what it made by the exit codes of its processes."""
    words = words_of(undisturbed, undisturbed.parent / "base.npz")[1:]
    done = study("stage", "patch-dose_1000", *words, "--told-all")
    assert done.returncode == ExitCode.INCOMPLETE, done.stderr
    assert study("stage", "patch-dose_1000", *words).returncode == ExitCode.COMPLETE


def changes_of(hub: Path) -> dict[Path, tuple[int, int]]:
    return {p: (p.stat().st_ctime_ns, p.stat().st_size) for p in (hub, *hub.rglob("*"))}


@pytest.mark.parametrize("verb", ["run", "status", "plan", "report"])
def test_looking_at_a_complete_study_imports_nothing_heavy(undisturbed: Path, verb: str) -> None:
    code = (
        "import sys\n"
        "from ptyrun.cli.main import main\n"
        f"sys.argv = ['ptyrun', 'study', {verb!r}, '--hub', {str(undisturbed)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split()) & FRAMEWORKS


def test_a_killed_study_goes_on_and_ends_in_the_same_bytes(
    undisturbed: Path, base: Path, tmp_path: Path
) -> None:
    """A sample; `test_twenty_kills_at_random` has more."""
    kill_until_done(words_of(tmp_path / "hub", base, "--window", "60s"), kills=3, seed=1)
    assert contents(tmp_path / "hub") == contents(undisturbed)


@pytest.mark.slow
def test_twenty_kills_at_random(tmp_path: Path, base: Path) -> None:
    """Two doses, both views and halves, in windows of 10 s."""
    more = ("--dose", "1000", "10000", *SMALL)
    words = ["--base-npz", str(base), *more]
    assert study("run", "--hub", str(tmp_path / "calm"), *words).returncode == 0
    words = ["run", "--hub", str(tmp_path / "hub"), *words, "--window", "10s"]
    kill_until_done(words, kills=20, seed=2)
    assert contents(tmp_path / "hub") == contents(tmp_path / "calm")


def test_a_signal_closes_the_window_and_leaves_no_process(tmp_path: Path, base: Path) -> None:
    words = ptyrun_words("study", *words_of(tmp_path / "hub", base))
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        wait_for_a_stage(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == ExitCode.INCOMPLETE
    assert not [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(tmp_path / "hub") in text_of(path)
    ]


def wait_for_a_stage(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert any("begun" in line for line in process.stderr)


def text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def test_two_sessions_share_the_stages_out(undisturbed: Path, tmp_path: Path, base: Path) -> None:
    words = ptyrun_words("study", *words_of(tmp_path / "hub", base))
    both = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=PATIENCE_S) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(int(out.split()[0]) for out, _ in said) >= 7, "no stage is made by none of them"
    logs = [path.read_text() for path in (tmp_path / "hub" / "cli").iterdir()]
    assert [text.count(": complete") for text in logs] == [1] * 7, "each stage is made once"
    assert contents(tmp_path / "hub") == contents(undisturbed)


@pytest.mark.slow
def test_windows_drive_themselves_until_it_is_complete(tmp_path: Path, base: Path) -> None:
    done = study(*words_of(tmp_path / "hub", base, "--window", "4s", "--until-complete"))
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "same command again" not in done.stdout + done.stderr, "it goes on by itself"


def test_lists_follow_one_word_as_upstreams_do(tmp_path: Path, base: Path) -> None:
    words = ("--output-root", str(tmp_path / "hub"), "--base-npz", str(base))
    lists = ("--dose", "1000", "2000", "--view", "dense", "sparse", "--splits", "train", "test")
    done = study("run", *words, *lists, "--collect-only")
    assert done.returncode == 0, done.stderr
    assert "overlap-dose_2000-sparse-test" in done.stdout
    assert "--splits" not in done.stdout
    assert not (tmp_path / "hub").exists()


CLAIMED = """
[[stage]]
name = "claim"
command = ["true"]
outputs = ["data/claimed.txt"]

[[stage]]
name = "after"
command = ["cp", "{hub}/data/claimed.txt", "{hub}/data/after.txt"]
inputs = ["data/claimed.txt"]
outputs = ["data/after.txt"]
"""


def test_a_failed_stage_stops_only_what_depends_on_it(
    undisturbed: Path, tmp_path: Path, base: Path
) -> None:
    (tmp_path / "study.toml").write_text(CLAIMED)
    shutil.copytree(undisturbed, tmp_path / "hub")
    words = words_of(tmp_path / "hub", base, "--config", str(tmp_path / "study.toml"))
    done = study(*words)
    assert done.returncode == ExitCode.FAILED
    assert "claim: failed: it ended with exit code 0 without its output data/claimed" in done.stdout
    found = json.loads(study("status", *words[1:], "--json").stdout)
    assert found["counts"] == {
        **{"done": 7, "pending": 0, "running": 0, "stale": 0, "failed": 1, "blocked": 1}
    }
    (tmp_path / "study.toml").write_text(
        CLAIMED.replace('["true"]', '["touch", "{hub}/data/claimed.txt"]')
    )
    assert study(*words).returncode == ExitCode.COMPLETE


def test_commands_of_a_hub_run_only_where_its_file_is_named(tmp_path: Path, base: Path) -> None:
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "study.toml").write_text(CLAIMED)
    done = study(*words_of(hub, base))
    assert done.returncode == ExitCode.USAGE
    assert "use --config" in done.stderr
    assert not (hub / "data").exists()


def test_clobber_sets_all_aside_in_one_folder_and_begins_afresh(
    undisturbed: Path, tmp_path: Path, base: Path
) -> None:
    words = words_of(tmp_path / "hub", base)
    shutil.copytree(undisturbed, tmp_path / "hub")
    before = contents(tmp_path / "hub")
    mine = tmp_path / "hub" / "data" / "phase_c" / "dose_1000" / "notes.txt"
    mine.write_text("mine")
    done = study(*words, "--clobber")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("7 stages made")
    (folder,) = (tmp_path / "hub" / "archive").iterdir()
    assert mine.read_text() == "mine"
    kept = set(contents(folder))
    assert kept == {name for name in before if not name.startswith("archive")}


def test_clobber_is_refused_while_anybody_works(tmp_path: Path, base: Path) -> None:
    words = words_of(tmp_path / "hub", base)
    with subprocess.Popen(
        ptyrun_words("study", *words), stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for_a_stage(process)
        os.kill(process.pid, signal.SIGSTOP)
        done = study(*words, "--clobber")
        process.kill()
    assert done.returncode == ExitCode.FAILED
    assert f"PID {process.pid}" in done.stderr


def test_files_that_no_study_made_are_refused_by_name(tmp_path: Path, base: Path) -> None:
    theirs = tmp_path / "hub" / "data" / "phase_c" / "dose_1000" / "patched_train.npz"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    done = study(*words_of(tmp_path / "hub", base))
    assert done.returncode == ExitCode.USAGE
    assert "patched_train.npz" in done.stderr
    assert theirs.read_bytes() == b"theirs"


def test_clobber_never_moves_an_input(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    inside = hub / "data" / "phase_c" / "dose_1000" / "simulated_raw.npz"
    inside.parent.mkdir(parents=True)
    write_base(inside)
    done = study(*words_of(hub, inside, "--clobber"))
    assert done.returncode == ExitCode.USAGE
    assert "--clobber would move" in done.stderr
    assert inside.exists()


def test_the_report_shows_stages_and_overlap(undisturbed: Path) -> None:
    said = study("report", "--hub", str(undisturbed)).stdout
    assert "| split-dose_1000 | done |" in said
    assert "| dose_1000/dense/train |" in said


BAD = {
    "unknown dose": (["--dose", "0"], "--dose"),
    "half a photon": (["--dose", "1.5"], "whole number"),
    "unknown view": (["--view", "denser"], "denser"),
    "unknown split": (["--splits", "validation"], "validation"),
    "missing base": (["--base-npz", "nowhere.npz"], "nowhere.npz"),
    "another study": (["--name", "other"], "belongs to the study 'small'"),
}


@pytest.mark.parametrize(("words", "named"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_before_any_work(
    undisturbed: Path, tmp_path: Path, words: list[str], named: str
) -> None:
    hub = undisturbed if "--name" in words else tmp_path / "hub"
    done = study("run", "--hub", str(hub), *words)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "hub").exists()


def test_a_study_without_a_base_says_what_it_needs(tmp_path: Path) -> None:
    done = study("run", "--hub", str(tmp_path / "hub"), "--dose", "1000")
    assert done.returncode == ExitCode.USAGE
    assert "--base-npz" in done.stderr


def test_a_base_without_what_is_simulated_is_named_before_a_hub_is_made(
    base: Path, tmp_path: Path
) -> None:
    with np.load(base) as arrays:
        others = {name: array for name, array in arrays.items() if name != "probeGuess"}
    lacking = tmp_path / "lacking.npz"
    np.savez(lacking, allow_pickle=False, **others)
    (tmp_path / "base.cxi").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    hub = tmp_path / "hub"
    for wrong, why in (
        (lacking, "has no array 'probeGuess'"),
        (tmp_path / "base.cxi", "it is not a zip archive"),
    ):
        done = study(*words_of(hub, wrong))
        assert done.returncode == ExitCode.USAGE, done.stderr
        assert why in done.stderr
        assert "ptyrun convert FILE --to base.npz" in done.stderr
        assert not hub.exists()


TOMLS = {
    'dose = [1000\nview = "dense"\n': ("line 2", "dose"),
    'hub = "h"\ndose = [1000\n': ("line 2", "dose"),
    'hub = "h"\n\ndoze = 1000\n': ("line 3", "doze"),
    'hub = "h"\nseed = "many"\n': ("line 2", "seed"),
    'hub = "h"\n[[stage]]\nname = 7\n': ("line 3", "name"),
    'hub = "h"\n[[stage]]\nname = "a"\ncommand = "true"\n': ("line 4", "command"),
    'hub = "h"\nview = ["denser"]\n': ("line 2", "view"),
}


@pytest.mark.parametrize(("text", "named"), TOMLS.items())
def test_a_broken_study_file_is_named_with_line_and_key(
    tmp_path: Path, text: str, named: tuple[str, str]
) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    done = study("plan", "--config", str(path))
    assert done.returncode == ExitCode.USAGE
    assert all(word in done.stderr for word in named), done.stderr
    assert "Traceback" not in done.stderr


def test_init_writes_a_file_that_says_the_same(tmp_path: Path, base: Path) -> None:
    path = tmp_path / "study.toml"
    words = (
        "--hub",
        str(tmp_path / "hub"),
        "--base-npz",
        str(base),
        "--dose",
        "1000",
        "--seed",
        "7",
    )
    assert study("init", str(path), *words).returncode == 0
    told = study("plan", *words, "--json")
    read = study("plan", "--config", str(path), "--json")
    assert json.loads(told.stdout) == json.loads(read.stdout)
    assert "(default: dense, sparse)" in path.read_text()
    again = study("init", str(path))
    assert again.returncode == ExitCode.USAGE


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="no folder that refuses even root")
def test_a_hub_that_cannot_be_written_is_named(base: Path) -> None:
    done = study(*words_of(Path("/sys/hub"), base))
    assert done.returncode == ExitCode.FAILED
    assert "cannot write /sys/hub" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hub_that_is_a_file_is_refused(tmp_path: Path, base: Path) -> None:
    (tmp_path / "hub").write_text("no folder")
    done = study(*words_of(tmp_path / "hub", base))
    assert done.returncode == ExitCode.USAGE


COMPARES = """
[[stage]]
name = "compare"
command = ["sh", "-c", "mkdir -p analysis; echo '[]' > analysis/comparison_manifest.json"]
outputs = ["analysis/comparison_manifest.json"]
"""


def test_comparisons_are_summarized_and_verified_at_the_end_unless_that_is_left_out(
    undisturbed: Path, tmp_path: Path, base: Path
) -> None:
    hub = tmp_path / "hub"
    shutil.copytree(undisturbed, hub)
    (hub / "study.toml").write_text(COMPARES)
    words = words_of(hub, base, "--config", str(hub / "study.toml"))
    assert study(*words, "--skip-post-verify").returncode == ExitCode.COMPLETE
    done = study(*words)
    assert done.returncode not in (ExitCode.COMPLETE, ExitCode.INCOMPLETE)
    assert "complete" in done.stdout
    only = study("run", "--hub", str(hub), "--post-verify-only")
    assert only.returncode == ExitCode.BLOCKED
    assert "comparison_manifest" in only.stdout
    both = study("run", "--hub", str(hub), "--post-verify-only", "--clobber")
    assert both.returncode == ExitCode.USAGE
