"""What every command says of a disk that takes nothing: the reason, and never a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.paced import Bench, on_tmpfs

WHY = {"full": "the disk is full", "read-only": "the file system is read-only"}


def said_by(bench: Bench, how: str, *commands: str) -> list[tuple[str, int, str]]:
    """Each command, its exit code and its words, on a small file system that is as told."""
    script = 'for c; do echo "== $c"; "$PYTHON" -m ptyrun $c "$RUN" 2>&1; echo "code $?"; done'
    done = bench.do_script(script, *commands, before=on_tmpfs(bench.run, how))
    if "not permitted" in done.stderr:
        pytest.skip("mounting is not allowed here")
    parts = [part.split("\n", 1) for part in done.stdout.split("== ")[1:]]
    return [(c, int(words.rsplit("code ", 1)[1]), words) for c, words in parts]


@pytest.mark.parametrize("how", WHY)
def test_a_command_that_must_write_names_the_disk_and_leaves_results_to_be_made_again(
    how: str, finished: Bench, bench: Bench, tmp_path: Path
) -> None:
    done = Bench(finished.inputs, tmp_path / "done")
    shutil.copytree(finished.run, done.run)
    for command, code, words in [
        *said_by(bench, how, "run --max-chunks=1"),
        *said_by(done, how, "preview", "finalize --force"),
    ]:
        assert code == 1, command
        assert f"why: {WHY[how]}" in words, command
        assert "Traceback" not in words and "Logging error" not in words, command


@pytest.mark.slow
def test_a_run_on_a_read_only_disk_is_drawn_and_reported_elsewhere(
    finished: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    commands = ["preview", f"preview --output {out}", f"report --output {out}", "report"]
    said = said_by(finished, "read-only", *commands, "report --force")
    assert [code for _, code, _ in said] == [1, 0, 0, 0, 1], said
    assert said[3][2].splitlines()[0].endswith("report/index.html"), "it is there, and current"
    for (_, _, words), what in ((said[0], "preview"), (said[-1], "report")):
        assert f"/{what} cannot be written" in words and ".lock" not in words
        assert "the file system is read-only" in words
        assert "or write to another folder with --output" in words
    for name in ("preview.json", "pinn.png", "index.html", "report.md", "metrics.csv"):
        assert (out / name).stat().st_size > 0


@pytest.mark.parametrize("how", WHY)
def test_a_command_that_only_reads_is_not_disturbed(how: str, finished: Bench) -> None:
    for command, code, words in said_by(finished, how, "status", "verify", "wait", "logs"):
        assert code == 0, words
        assert "Traceback" not in words, command
