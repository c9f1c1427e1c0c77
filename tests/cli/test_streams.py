"""Words that cannot be said end no work and change no exit code, whatever the streams are."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ptyrun.cli import streams
from tests.scans import write_reconstruction, write_scan

PTYRUN = f"{shlex.quote(sys.executable)} -m ptyrun"


class Inputs:
    """A scan and a reconstruction: what is compared without any framework."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.scan = write_scan(folder / "scan.npz")
        self.reconstruction = write_reconstruction(folder / "recon.npz")

    def words(self, run_dir: Path) -> list[str]:
        return [
            "compare",
            f"--test_data={self.scan}",
            f"--tike_recon_path={self.reconstruction}",
            f"--output_dir={run_dir}",
            "--no-vector-plots",
        ]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, **environment},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


CLOSED_OR_FULL = ("2>&-", "2>/dev/full", ">/dev/full", ">&-", ">&- 2>&-", "<&- >&- 2>&-")


@pytest.mark.parametrize("redirected", CLOSED_OR_FULL)
def test_a_comparison_is_completed_with_closed_and_full_streams(
    redirected: str, inputs: Inputs, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    done = shell(f"{PTYRUN} {shlex.join(inputs.words(run_dir))} {redirected}")
    assert done.returncode == 0, done.stderr
    assert (run_dir / "report/index.html").exists()
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("redirected", CLOSED_OR_FULL)
@pytest.mark.parametrize(("line", "code"), [("--help", 0), ("run nowhere", 2), ("run --no", 2)])
def test_an_exit_code_is_that_of_the_work(line: str, code: int, redirected: str) -> None:
    assert shell(f"{PTYRUN} {line} {redirected}").returncode == code


def test_a_reader_that_leaves_changes_no_exit_code(inputs: Inputs, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    line = f"set -o pipefail; {PTYRUN} {shlex.join(inputs.words(run_dir))} 2>&1"
    done = shell(f"{line} | head -1")
    assert done.returncode == 0, done.stderr
    assert (run_dir / "report/index.html").exists()
    assert len(done.stdout.splitlines()) == 1
    gone = shell(f"{line} | true")
    assert gone.returncode == 0, gone.stderr


def test_who_follows_ends_when_the_reader_is_gone(inputs: Inputs, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    planned = inputs.words(run_dir)
    planned[0] = "plan"
    assert shell(f"{PTYRUN} {shlex.join(planned)}").returncode == 0
    (run_dir / "results.json").unlink(missing_ok=True)
    followed = f"{PTYRUN} status {shlex.quote(str(run_dir))} --watch --every 0.05s"
    assert shell(f"set -o pipefail; {followed} | head -1").returncode == 0


NAMES = {"Latin-1": b"M\xfcller", "UTF-8": "Müller ▓".encode()}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_paths_of_every_spelling_work(
    locale: str, name: bytes, inputs: Inputs, tmp_path: Path
) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    there = Inputs(folder)
    settings = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run_dir = folder / "run"
    for more in (
        there.words(run_dir),
        ["report", run_dir],
        ["verify", run_dir],
        ["status", run_dir],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ptyrun", *more],
            env={**os.environ, **settings},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        done.stdout.decode()
        done.stderr.decode()
    page = (run_dir / "report/index.html").read_bytes()
    page.decode()
    spelt = rb"M\udcfcller" if name == NAMES["Latin-1"] else name
    assert spelt in page


def test_a_model_below_a_path_that_is_not_utf8_is_refused_before_any_work(
    inputs: Inputs, tmp_path: Path
) -> None:
    models = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller"))
    models.mkdir()
    words = [*inputs.words(tmp_path / "run"), f"--pinn_dir={models}"]
    done = subprocess.run(
        [sys.executable, "-m", "ptyrun", *words],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    first, why, do = done.stderr.decode().splitlines()[-3:]
    assert "is not UTF-8" in first
    assert r"M\xfcller" in first
    assert why.startswith("  why: ")
    assert do.startswith("  do:  ")
    assert not (tmp_path / "run").exists()


def test_a_stream_that_takes_nothing_loses_words_and_says_so(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        stream = streams._unfailing(None, full.fileno(), by_line=False)
        stream.write("word" * 100_000)
        stream.flush()
        raw = stream.buffer.raw  # type: ignore[attr-defined]
        assert raw.has_lost
        stream.detach()


def test_what_an_encoding_lacks_is_escaped() -> None:
    for encoding, text, expected in (
        ("utf-8", "a\udcfcb\udcc3\udcbcc\ud800", rb"a\xfcb" + "ü".encode() + rb"c\ud800"),
        ("latin-1", "ü▓\udcfc", b"\xfc" + rb"\u2593\udcfc"),
    ):
        words = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=streams.SPELLING)
        words.write(text)
        words.flush()
        assert words.buffer.getvalue() == expected  # type: ignore[attr-defined]


def test_a_comparison_ends_with_a_line_for_each_arm_and_the_report_page(
    inputs: Inputs, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    for _ in range(2):
        done = shell(f"{PTYRUN} {shlex.join(inputs.words(run_dir))}")
        assert done.returncode == 0, done.stderr
        arm, page = done.stdout.decode().splitlines()[-2:]
        assert arm.startswith("PtyChi: 100.0% of ")
        assert "SSIM" in arm
        assert page == f"report page: {run_dir / 'report/index.html'}"
    found = shell(f"{PTYRUN} verify {shlex.quote(str(run_dir))}")
    assert found.stdout.decode() == (
        "OK: every arm is a finished reconstruction, without chunks; level full\n"
    )


def test_the_status_of_planned_reconstructions_says_what_is_left_to_do(
    inputs: Inputs, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    words = shlex.join(inputs.words(run_dir)).replace("compare ", "plan ", 1)
    assert shell(f"{PTYRUN} {words}").returncode == 0
    first = shell(f"{PTYRUN} status {run_dir}").stdout.decode().splitlines()[0]
    assert first == (
        f"{run_dir}: every arm is a finished reconstruction; no results yet: "
        f"run `ptyrun finalize {run_dir}`"
    )
    assert shell(f"{PTYRUN} finalize {run_dir}").returncode == 0
