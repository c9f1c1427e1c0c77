"""Is a session believed that says of a run what is not so? Seals are not signatures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptyrun.background import control
from ptyrun.background.proof import new_token
from ptyrun.comparison.completion import Completion
from ptyrun.comparison.counts import Counts
from ptyrun.comparison.tracked import TrackedProcess
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import DamageError
from ptyrun.host.checksums import file_sha256, folder_sha256
from ptyrun.host.documents import sealed
from ptyrun.host.processes import Process, pid_namespace
from ptyrun.paths import RunPaths
from tests.stages import finished_run
from tests.studies import ptyrun

WHEN = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def sent(tmp_path: Path) -> RunPaths:
    """A complete run with the documents of the session that completed it."""
    paths = finished_run.write(tmp_path / "run")
    digest = Manifest.load(paths.manifest).digest
    token, own = new_token(), Process.current()
    paths.logs.mkdir()
    (paths.logs / "background-1.log").write_text("all is well\n")
    artifacts = {
        "results.json": file_sha256(paths.results),
        "objects.zarr/": folder_sha256(paths.objects),
    }
    counts = Counts(80, 80, 10, 10)
    Completion(
        token, 0, "complete, by its content", "", digest, counts, artifacts, 3, WHEN, WHEN
    ).save(paths.completion)
    TrackedProcess(
        session=token,
        host=own.host,
        boot_id=own.boot_id,
        pid=2**22 - 1,
        process_started_s=1.0,
        pid_namespace=pid_namespace(),
        argv=("ptyrun", "start"),
        log="logs/background-1.log",
        manifest_digest=digest,
        started_at=WHEN,
        ended_at=WHEN,
        exit_code=0,
        reason="complete, by its content",
        counts=counts,
        windows=3,
    ).save(paths.process)
    return paths


def rewritten(path: Path, **changed: Any) -> None:
    """Other words under a seal that is right."""
    document = json.loads(path.read_text())
    document.pop("sha256")
    path.write_text(sealed({**document, **changed}))


def test_what_is_so_is_believed(sent: RunPaths) -> None:
    done = ptyrun("wait", str(sent.root))
    assert done.returncode == 0, done.stderr
    assert "2 artifacts" in done.stdout


def lose_a_line(paths: RunPaths) -> None:
    last = sorted(paths.ledger.glob("*.jsonl"))[-1]
    lines = last.read_bytes().splitlines(keepends=True)
    commit = next(n for n, line in enumerate(lines) if b'"event":"commit"' in line)
    last.write_bytes(b"".join(lines[:commit] + lines[commit + 1 :]))


FORGED: dict[str, tuple[Callable[[RunPaths], object], str]] = {
    "a chunk is missing": (lose_a_line, "chunks are missing"),
    "the results are gone": (lambda paths: paths.results.unlink(), "chunks are missing, or"),
    "the results are other ones": (
        lambda paths: paths.results.write_text(paths.results.read_text() + " "),
        "'results.json' is not the file",
    ),
    "an artifact is gone": (
        lambda paths: (paths.objects / "pinn/object/zarr.json").unlink(),
        "'objects.zarr/' is not the file",
    ),
    "of another plan": (
        lambda paths: rewritten(paths.completion, manifest_digest="0" * 64),
        "quotes 000000000000",
    ),
    "no completion": (lambda paths: paths.completion.unlink(), "there is no completion.json"),
    "of another session": (
        lambda paths: rewritten(paths.completion, session=new_token()),
        "there is no completion.json of that session",
    ),
    "an artifact elsewhere": (
        lambda paths: rewritten(paths.completion, artifacts={"../../etc/passwd": "0" * 64}),
        "leads out",
    ),
}


@pytest.mark.parametrize("how", FORGED)
def test_what_is_not_so_is_not_believed(sent: RunPaths, how: str) -> None:
    forge, said = FORGED[how]
    forge(sent)
    done = ptyrun("wait", str(sent.root))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "is not complete, though its session says so" in done.stderr
    assert said in done.stderr
    with pytest.raises(DamageError):
        control.wait(sent.root)


def test_status_asks_the_ledger_and_not_the_session(sent: RunPaths) -> None:
    lose_a_line(sent)
    found = json.loads(ptyrun("status", str(sent.root), "--json").stdout)
    assert found["state"] == "incomplete"


NO_SUCH: dict[str, dict[str, Any]] = {
    "a file elsewhere": {"evidence": "../../../etc/passwd"},
    "a file by its whole name": {"evidence": "/etc/passwd"},
    "an exit code that is none": {"exit_code": 10**9},
    "windows without number": {"windows": -1},
    "counts below nothing": {"counts": dict.fromkeys(Counts.__annotations__, -1)},
    "a time with an escape": {"started_at": "\x1b[2J"},
}


@pytest.mark.parametrize("name", ["completion", "process"])
@pytest.mark.parametrize("how", NO_SUCH)
def test_an_ending_that_no_session_has_is_refused(sent: RunPaths, name: str, how: str) -> None:
    rewritten(getattr(sent, name), **NO_SUCH[how])
    if name == "completion":
        rewritten(sent.process, exit_code=None)
    done = ptyrun("wait", str(sent.root))
    assert done.returncode == 2, done.stderr
    assert f"this is not a valid {name}.json" in done.stderr
    assert "root:" not in done.stderr


@pytest.mark.parametrize("command", ["logs", "wait"])
def test_no_link_leads_a_log_out_of_the_run(sent: RunPaths, command: str) -> None:
    outside = sent.root.parent / "outside"
    sent.logs.rename(outside)
    (outside / "background-1.log").write_text("a secret")
    sent.logs.symlink_to(outside)
    rewritten(sent.process, exit_code=1, evidence="logs/background-1.log")
    done = ptyrun(command, str(sent.root))
    assert done.returncode == 2
    assert "is a symbolic link" in done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_a_log_that_is_a_fifo_is_not_waited_for(sent: RunPaths) -> None:
    log = sent.logs / "background-1.log"
    log.unlink()
    os.mkfifo(log)
    done = ptyrun("logs", str(sent.root))
    assert done.returncode == 2
    assert "is a FIFO" in done.stderr


def test_a_log_cannot_rule_the_terminal(sent: RunPaths) -> None:
    (sent.logs / "background-1.log").write_text("\x1b]0;pwned\x07red\u202e\r50 %\n")
    done = ptyrun("logs", str(sent.root))
    assert done.returncode == 0
    assert done.stdout == "\\x1b]0;pwned\\x07red\\u202e\\r50 %\n"
