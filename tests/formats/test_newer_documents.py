"""What does each command say of each document that a newer ptyrun wrote?

Named, with what to do; never damage, never a traceback; and nothing of it is changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import ptyrun as door
from ptyrun.comparison.completion import Completion
from ptyrun.comparison.counts import Counts
from ptyrun.comparison.run import Run
from ptyrun.comparison.tracked import Ending, TrackedProcess
from ptyrun.errors import ExitCode, NewerError
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from tests.formats.newer_documents import CACHES, DOCUMENTS
from tests.studies import TRUST, Study, ptyrun

NEWER = "written by a newer ptyrun"
SESSION = "0" * 32
LOG = "logs/background-20260101T000000.000000Z.log"

LEDGER = {"session", "event", "field"}
RESULTS = {"results", "results-field"}
TRACKED = {"process", "process-field", "completion"}
JUDGED = {*LEDGER, *RESULTS, *TRACKED, "manifest", "superseded", "owner"}
# Of which documents each command needs to know what they say.
NEEDS: dict[tuple[str, ...], set[str]] = {
    ("status",): {"manifest", *LEDGER},
    ("status", "--json"): {"manifest", *LEDGER},
    ("run", *TRUST): {"manifest", *LEDGER},
    ("verify",): JUDGED,
    ("verify", "--level=size"): JUDGED,
    ("verify", "--repair"): JUDGED,
    ("report",): {"manifest", *LEDGER, *RESULTS},
    ("export", "--output=OUT.csv"): {"manifest", *RESULTS},
    ("prune",): JUDGED,
    ("logs",): TRACKED,
    ("stop",): TRACKED,
    ("wait",): {"manifest", *LEDGER, *TRACKED},
}
SLOWLY: dict[tuple[str, ...], set[str]] = {
    ("finalize",): {"manifest", *LEDGER, *RESULTS},
    ("preview",): {"manifest", *LEDGER},
    ("start", *TRUST): {"manifest", *LEDGER, "process", "process-field"},
    ("compare",): {"manifest", *LEDGER, *RESULTS},
    ("plan",): {"manifest", *LEDGER},
    ("reuse",): {"manifest", "owner", *LEDGER},
}
# What a command writes before it comes to what it cannot read.
MEANWHILE = ("ledger/", "logs/", "cache/", "claims/", "owner.json", "process.lock")


@pytest.fixture(scope="module")
def finished(complete_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that a session in the background completed, with its report. Not to be changed."""
    root = Path(shutil.copytree(complete_run, tmp_path_factory.mktemp("finished") / "run"))
    assert ptyrun("report", str(root)).returncode == 0
    paths, process = RunPaths(root), Process.current()
    log = root / LOG
    log.parent.mkdir(exist_ok=True)
    log.write_text("complete, by its content\n")
    counts = Counts.of(Run(root).progress.arms.values())
    ending = vars(Ending(0, "complete, by its content", "", counts, 1))
    at = "2026-01-01T00:00:00+00:00"
    digest = Run(root).manifest.digest
    TrackedProcess(
        session=SESSION, host=process.host, boot_id="another boot", pid=1, process_started_s=1.0,
        pid_namespace="", argv=("ptyrun",), log=LOG, manifest_digest=digest, started_at=at,
        **ending,
    ).save(paths.process)  # fmt: skip
    Completion(
        session=SESSION, manifest_digest=digest, artifacts={}, started_at=at, finished_at=at,
        **ending,
    ).save(paths.completion)  # fmt: skip
    return root


@pytest.fixture
def paths(finished: Path, tmp_path: Path) -> RunPaths:
    return RunPaths(Path(shutil.copytree(finished, tmp_path / "run")))


def files(paths: RunPaths) -> dict[str, bytes]:
    return {
        path.relative_to(paths.root).as_posix(): path.read_bytes()
        for path in paths.root.rglob("*")
        if path.is_file()
    }


def words(command: tuple[str, ...], paths: RunPaths, study: Study) -> list[str]:
    """What is typed."""
    name, *more = command
    if name == "compare":
        return study.words(paths.root)
    if name == "plan":
        return ["plan", *study.words(paths.root)[1:]]
    if name == "reuse":
        other = paths.root.with_name("other")
        return study.words(other, f"--reuse={paths.root}", "--max-chunks=1")
    out = str(paths.root.with_name("out"))
    return [name, str(paths.root), *(word.replace("OUT", out) for word in more)]


def look(
    document: str, command: tuple[str, ...], needs: set[str], paths: RunPaths, study: Study
) -> None:
    before, change = files(paths), DOCUMENTS[document]
    change(paths)
    newer = files(paths)
    changed = {name for name in newer if newer[name] != before.get(name)}
    done = ptyrun(*words(command, paths, study))
    said = done.stdout + done.stderr
    assert "damage" not in said.replace("undamaged", "")
    after = files(paths)
    if document in needs:
        assert done.returncode == ExitCode.USAGE, said
        assert NEWER in done.stderr
        assert "upgrade ptyrun" in done.stderr
        touched = {name for name in {*newer, *after} if newer.get(name) != after.get(name)}
        assert not {name for name in touched if not name.startswith(MEANWHILE)}
    else:
        assert done.returncode in (0, ExitCode.INCOMPLETE), said
    is_started = command[0] in ("start", "finalize", "compare")  # these withdraw completion.json
    kept = changed - ({"completion.json", "SHA256SUMS"} if is_started else set())
    assert {name: after.get(name) for name in kept} == {name: newer[name] for name in kept}


@pytest.mark.parametrize("command", NEEDS, ids=" ".join)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_of_a_newer_ptyrun_is_named_and_left_as_it_is(
    document: str, command: tuple[str, ...], paths: RunPaths, study: Study
) -> None:
    look(document, command, NEEDS[command], paths, study)


@pytest.mark.slow
@pytest.mark.parametrize("command", SLOWLY, ids=" ".join)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_of_a_newer_ptyrun_is_named_by_commands_that_take_long(
    document: str,
    command: tuple[str, ...],
    paths: RunPaths,
    study: Study,
    quick_pictures: None,
) -> None:
    try:
        look(document, command, SLOWLY[command], paths, study)
    finally:
        if command[0] == "start" and document not in SLOWLY[command]:
            assert ptyrun("stop", str(paths.root)).returncode == 0


ASKED: dict[str, tuple[Callable[[door.Run], object], set[str]]] = {
    "status": (lambda run: run.status(), {"manifest", *LEDGER}),
    "metrics": (lambda run: run.metrics, {"manifest", *RESULTS}),
    "object": (lambda run: run.object("pinn"), {"manifest", *RESULTS}),
    "frc": (lambda run: run.frc("pinn"), {"manifest", *RESULTS}),
    "patches": (lambda run: run.patches("pinn"), {"manifest"}),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_from_python_the_same_is_raised(document: str, asked: str, paths: RunPaths) -> None:
    DOCUMENTS[document](paths)
    newer = files(paths)
    ask, needs = ASKED[asked]
    if document in needs:
        with pytest.raises(NewerError, match=NEWER):
            ask(door.open_run(paths.root))
    else:
        ask(door.open_run(paths.root))
    assert files(paths) == newer


def test_what_verify_finds_beside_a_newer_document_is_named_and_stays(paths: RunPaths) -> None:
    chunk = next(paths.arrays.glob("pinn/patches/c.*"))
    chunk.write_bytes(b"")
    DOCUMENTS["results"](paths)
    before = files(paths)
    verdict = door.open_run(paths.root).verify(repair=True)
    assert [damage.path for damage in verdict.damages] == [chunk.relative_to(paths.root).as_posix()]
    assert verdict.beyond_repair == verdict.damages
    assert "results.json" in verdict.newer[0].what
    done = ptyrun("verify", str(paths.root), "--repair")
    assert done.returncode == ExitCode.BLOCKED
    assert "cannot be repaired" in done.stdout
    assert NEWER in done.stderr
    assert files(paths) == before


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(
    "command", [("status",), ("run", *TRUST), ("verify",), ("report",)], ids=" ".join
)
def test_a_cache_of_a_newer_ptyrun_is_as_good_as_none(
    cache: str, command: tuple[str, ...], paths: RunPaths, study: Study
) -> None:
    CACHES[cache](paths)
    done = ptyrun(*words(command, paths, study))
    assert done.returncode == 0, done.stdout + done.stderr
    assert NEWER not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("command", ["compare", "finalize", "plan"])
def test_a_cache_of_a_newer_ptyrun_ends_no_command_that_takes_long(
    cache: str, command: str, paths: RunPaths, study: Study, quick_pictures: None
) -> None:
    CACHES[cache](paths)
    done = ptyrun(*words((command,), paths, study))
    assert done.returncode == 0, done.stdout + done.stderr
    assert NEWER not in done.stdout + done.stderr
