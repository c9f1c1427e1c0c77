"""What does each command of a study say of each document that a newer ptyrun wrote?

Named, with what to do; never damage, never a traceback; and nothing in the hub is changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ptyrun.comparison.tracked import TrackedProcess
from ptyrun.errors import ExitCode
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from ptyrun.study import analysis, identity
from ptyrun.study.archive import MOVES, Moves
from ptyrun.study.hub import ARCHIVE, ATTEMPT, STUDY, is_record
from ptyrun.study.record import Attempt
from tests.formats.newer_documents import DOCUMENTS as OF_A_RUN
from tests.formats.newer_documents import raise_document
from tests.studies import ptyrun
from tests.study.hubs import done, small_study

NEWER = "written by a newer ptyrun"
STAGE = "split-dose_1000"
IN_A_HUB = f"{analysis.FOLDER}/dose_1000/dense/more"


def _record(hub: Path) -> None:
    records = (path for path in hub.rglob("*.json") if is_record(path.relative_to(hub).as_posix()))
    raise_document(min(records))


def _attempt(hub: Path) -> None:
    record = next(hub.rglob(f"{STAGE}.stage.json"))
    path = record.with_name(f"{STAGE}{ATTEMPT}")
    Attempt(STAGE, "facts", "2026-01-01T00:00:00").save(path)
    raise_document(path)


def _moves(hub: Path) -> None:
    (hub / ARCHIVE).mkdir(exist_ok=True)
    path = hub / ARCHIVE / f"then{MOVES}"
    Moves("then", ("data",)).save(path)
    raise_document(path)


def _process(hub: Path) -> None:
    process = Process.current()
    TrackedProcess(
        session="0", host=process.host, boot_id="another boot", pid=1, process_started_s=1.0,
        pid_namespace="", argv=(), log="", manifest_digest="", started_at="2026-01-01T00:00:00",
    ).save(hub / "process.json")  # fmt: skip
    raise_document(hub / "process.json")


DOCUMENTS: dict[str, Callable[[Path], None]] = {
    "study": lambda hub: raise_document(hub / STUDY),
    "record": _record,
    "attempt": _attempt,
    "moves": _moves,
    "process": _process,
}
OF_STAGES = {"study", "record", "attempt"}
NEEDS: dict[tuple[str, ...], set[str]] = {
    ("status",): OF_STAGES,
    ("status", "--json"): OF_STAGES,
    ("plan",): OF_STAGES,
    ("report",): OF_STAGES,
    ("run",): {*OF_STAGES, "moves"},
    ("run", "--clobber"): {*OF_STAGES, "moves"},
    ("verify",): {"study", "record"},
    ("pack",): OF_STAGES,
    ("start",): {"study", "process"},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub of a study that is complete. Not to be changed."""
    study = small_study(tmp_path_factory.mktemp("finished"))
    done(study)
    identity.keep(study.options, study.hub)
    return study.hub.root


def files(hub: Path) -> dict[str, bytes]:
    return {
        path.relative_to(hub).as_posix(): path.read_bytes()
        for path in hub.rglob("*")
        if path.is_file() and hub / "locks" not in path.parents
    }


@pytest.mark.parametrize("command", NEEDS, ids=" ".join)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_of_a_newer_ptyrun_is_named_and_left_as_it_is(
    document: str, command: tuple[str, ...], finished: Path, tmp_path: Path
) -> None:
    if document not in NEEDS[command] and command not in (("status",), ("plan",)):
        return  # others have tests of their own
    hub = Path(shutil.copytree(finished, tmp_path / "hub"))
    DOCUMENTS[document](hub)
    before = files(hub)
    packed = [str(hub), str(tmp_path / "study.zip")]
    said = ptyrun("study", *command, *(packed if command == ("pack",) else [f"--hub={hub}"]))
    if document in NEEDS[command]:
        assert said.returncode == ExitCode.USAGE, said
        assert NEWER in said.stderr
        assert "upgrade ptyrun" in said.stderr
    else:
        assert NEWER not in said.stderr
    assert "damage" not in said.stdout + said.stderr
    assert files(hub) == before


def test_parameters_of_a_newer_ptyrun_are_neither_replaced_nor_damage(hub: Path) -> None:
    raise_document(hub / analysis.PARAMETERS)
    before = files(hub)
    for command in ("summarize", "verify"):
        said = ptyrun("study", command, f"--hub={hub}")
        assert said.returncode == ExitCode.USAGE, said
        assert f"{analysis.PARAMETERS} has schema 2: it was {NEWER}" in said.stderr
    assert files(hub) == before


@pytest.mark.parametrize("document", ["manifest", "results", "session"])
def test_a_comparison_of_a_newer_ptyrun_is_no_fault_of_its_hub(
    document: str, hub: Path, complete_run: Path
) -> None:
    run = shutil.copytree(complete_run, hub / IN_A_HUB)
    OF_A_RUN[document](RunPaths(Path(run)))
    said = ptyrun("study", "verify", f"--hub={hub}")
    assert said.returncode == ExitCode.USAGE, said
    assert NEWER in said.stderr
