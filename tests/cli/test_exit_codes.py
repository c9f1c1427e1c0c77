"""One table of exit codes, in help and documents as in the code, and true for every command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner

from ptyrun.cli.commands import COMMANDS, cli
from ptyrun.cli.main import RESUMABLE
from ptyrun.errors import ExitCode
from tests.kernel import wait_until_it_no_longer_catches
from tests.studies import TRUST, Study

# Found before the command does anything: Ctrl-C then comes while this is imported.
BEGINS_WITH = {
    "compare": "ptyrun.door.all_stages",
    "plan": "ptyrun.stages.plan",
    "run": "ptyrun.stages.run",
    "status": "ptyrun.stages.status",
    "preview": "ptyrun.stages.preview",
    "verify": "ptyrun.stages.verify",
    "finalize": "ptyrun.stages.finalize",
    "report": "ptyrun.stages.report",
    "export": "ptyrun.stages.export",
    "prune": "ptyrun.stages.prune",
    "start": "ptyrun.background.control",
    "wait": "ptyrun.background.control",
    "stop": "ptyrun.background.control",
    "logs": "ptyrun.background.control",
    "study": "ptyrun.study.working",
    "doctor": "ptyrun.door.doctor",
    "inspect": "ptyrun.door.inspecting",
    "convert": "ptyrun.door.converting",
    "completion": "click.shell_completion",
}
# Stops at the import of a module, and says so.
CUSTOMISED = """
import itertools, os, sys, time

class Stop:
    def find_spec(self, name, path=None, target=None):
        if name != os.environ.get("STOPS_AT"):
            return None
        says = map(os.write, [1], [b"here\\n"])
        if "IS_DEAF" in os.environ:
            # Never comes back: Python hears no signal from before the word is said.
            all(itertools.chain(says, itertools.repeat(True)))
        all(says)
        time.sleep(600)

sys.meta_path.insert(0, Stop())
"""


def test_help_has_every_code_and_what_it_means() -> None:
    said = CliRunner().invoke(cli, ["--help"], terminal_width=100).stdout
    for code in ExitCode:
        assert f"{int(code):<3} {code.means}" in said


@pytest.fixture(scope="module")
def planned(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is planned, and nothing else."""
    folder = tmp_path_factory.mktemp("planned") / "run"
    words = study.words(folder)
    assert code_of("plan", *words[1:]) == ExitCode.COMPLETE
    return folder


def code_of(*words: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "ptyrun", *words], capture_output=True, check=False
    ).returncode


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["finalize"], ExitCode.INCOMPLETE),
        (["report"], ExitCode.INCOMPLETE),
        (["export", "--output=r.csv"], ExitCode.INCOMPLETE),
        (["prune"], ExitCode.INCOMPLETE),
        (["preview"], ExitCode.COMPLETE),
        (["status"], ExitCode.COMPLETE),
        (["verify"], ExitCode.COMPLETE),
        (["wait"], ExitCode.USAGE),
        (["stop"], ExitCode.USAGE),
        (["logs"], ExitCode.USAGE),
        (["run", "--window=soon"], ExitCode.USAGE),
        (["start", "--window=soon"], ExitCode.USAGE),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_run_of_which_nothing_is_computed(
    words: list[str], code: ExitCode, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert code_of(words[0], str(planned), *words[1:]) == code
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("compare", "plan")])
def test_a_run_that_is_not_there_is_wrong_usage(name: str, tmp_path: Path) -> None:
    more = ["--output", str(tmp_path / "r.csv")] if name == "export" else []
    assert code_of(name, str(tmp_path / "run"), *more) == ExitCode.USAGE
    assert not [*tmp_path.iterdir()]


def test_damage_that_verify_finds(planned: Path, tmp_path: Path) -> None:
    manifest = planned / "manifest.json"
    whole = manifest.read_bytes()
    try:
        manifest.write_bytes(whole.replace(b"scan", b"\x00\x1b[2J\xff", 1))
        done = subprocess.run(
            [sys.executable, "-m", "ptyrun", "verify", planned], capture_output=True, check=False
        )
        assert done.returncode == ExitCode.BLOCKED
        assert b"manifest.json" in done.stdout
        assert (done.stdout + done.stderr).decode().replace("\n", "").isprintable()
    finally:
        manifest.write_bytes(whole)


@contextmanager
def stopped_at(
    module: str,
    words: list[str],
    folder: Path,
    stderr: int | IO[bytes] = subprocess.PIPE,
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "sitecustomize.py").write_text(CUSTOMISED, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "ptyrun", *words],
        env={**os.environ, "PYTHONPATH": path, "STOPS_AT": module, **environment},
        stdout=subprocess.PIPE,
        stderr=stderr,
        # Under nohup and in shells without job control, Ctrl-C would be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def words_of(name: str, planned: Path, study: Study, tmp_path: Path) -> list[str]:
    words = [name, str(planned)]
    if name in ("compare", "plan"):
        words = [name, *study.words(tmp_path / "run")[1:]]
    if name == "export":
        words.append("--output=r.csv")
    if name in ("inspect", "convert"):
        words = [name, str(study.scan), *(["--to=s.npz"] if name == "convert" else [])]
    if name == "completion":
        words = [name, "bash"]
    if name == "run":
        words += TRUST
    if name == "study":
        words = [name, "run", "--hub", str(tmp_path / "hub")]
    return words


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_ctrl_c(name: str, planned: Path, study: Study, tmp_path: Path) -> None:
    words = words_of(name, planned, study, tmp_path)
    with stopped_at(BEGINS_WITH[name], words, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1].decode()
    expected = ExitCode.INCOMPLETE if name in RESUMABLE else -signal.SIGINT
    assert process.returncode == expected, said
    assert "Traceback" not in said
    assert (name in RESUMABLE) == ("run the same command again" in said)


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [
        ("run", signal.SIGTERM, ExitCode.INCOMPLETE),
        ("run", signal.SIGINT, ExitCode.INCOMPLETE),
        ("finalize", signal.SIGUSR1, ExitCode.INCOMPLETE),
        ("status", signal.SIGTERM, -signal.SIGTERM),
    ],
)
def test_a_signal_is_heard_before_the_first_import_that_takes_long(
    name: str, number: signal.Signals, code: int, planned: Path, tmp_path: Path
) -> None:
    with stopped_at("ptyrun.cli.streams", [name, str(planned)], tmp_path) as process:
        process.send_signal(number)
        said = process.communicate()[1].decode()
    assert process.returncode == code
    assert ("run the same command again" in said) == (code == ExitCode.INCOMPLETE)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it waits for Python")
@pytest.mark.parametrize("name", sorted(RESUMABLE))
def test_the_second_ctrl_c_ends_by_the_signal_even_where_python_hears_none(
    name: str, planned: Path, study: Study, tmp_path: Path
) -> None:
    words = words_of(name, planned, study, tmp_path)
    with stopped_at(BEGINS_WITH[name], words, tmp_path, IS_DEAF="1") as process:
        process.send_signal(signal.SIGINT)
        wait_until_it_no_longer_catches(process.pid, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_where_nothing_can_be_said(
    number: signal.Signals, planned: Path, tmp_path: Path
) -> None:
    words = ["finalize", str(planned)]
    with (
        Path("/dev/full").open("wb") as full,
        stopped_at(BEGINS_WITH["finalize"], words, tmp_path, full) as process,
    ):
        process.send_signal(number)
        process.wait()
    assert process.returncode == ExitCode.INCOMPLETE
