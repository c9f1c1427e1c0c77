from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.comparison.run import Run
from ptyrun.door.all_stages import compare
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.errors import InputError
from ptyrun.paths import RunPaths
from ptyrun.stages import plan, run
from tests.engine.toys import planned, toy_manifest, toy_run
from tests.studies import TRUSTED, Study

WATCHED: list[Path] = []  # folders; an audit hook cannot be taken back
OPENED: list[tuple[str, str]] = []


def note_openings(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and WATCHED and isinstance(args[0], str):
        path = Path(args[0])
        if any(path.is_relative_to(folder) for folder in WATCHED):
            OPENED.append((path.name, str(args[1])))


sys.addaudithook(note_openings)


@contextmanager
def watched(folder: Path) -> Iterator[list[tuple[str, str]]]:
    OPENED.clear()
    WATCHED.append(folder)
    try:
        yield OPENED
    finally:
        WATCHED.clear()


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    planned(tmp_path, toy_manifest())
    toy_run(tmp_path, max_chunks=2)
    return tmp_path


def test_what_a_handle_was_asked_for_is_read_once(toy: Path) -> None:
    here = Run(toy)
    with watched(toy) as opened:
        assert here.manifest is here.manifest and here.ledger is here.ledger
        assert here.progress.chunks_committed == 2
    names = [name for name, _ in opened]
    assert names.count(here.paths.manifest.name) == 1
    assert len([name for name in names if name.endswith(".jsonl")]) == 1


def test_making_a_handle_reads_nothing(tmp_path: Path) -> None:
    with watched(tmp_path) as opened:
        here = Run(tmp_path / "never planned")
        assert here.paths == RunPaths(tmp_path / "never planned")
    assert not opened
    with pytest.raises(InputError, match="is not a planned run"):
        _ = here.manifest


def test_a_handle_cannot_be_turned_to_another_folder(toy: Path) -> None:
    with pytest.raises(FrozenInstanceError):
        Run(toy).folder = Path("elsewhere")  # type: ignore[misc]
    assert Run(toy) == Run(toy) and hash(Run(toy)) == hash(Run(toy))


def test_a_session_that_knows_its_plan_reads_it_no_more(toy: Path) -> None:
    known = Run(toy)
    ledger = open_ledger(known.paths, known.manifest)
    with watched(toy) as opened:
        here = Run.of(toy, known.manifest, ledger)
        assert here.manifest is known.manifest and here.ledger is ledger
    assert not opened


@pytest.mark.slow
def test_all_stages_of_one_comparison_open_its_scan_once(study: Study, tmp_path: Path) -> None:
    with np.load(study.scan) as scan:
        np.savez_compressed(tmp_path / "scan.npz", allow_pickle=True, **scan)
    folder = tmp_path / "run"
    config = replace(study.config(folder), scan=tmp_path / "scan.npz")
    with watched(tmp_path) as opened:
        assert compare(config, TRUSTED).results is not None
    checked = [name for name, mode in opened if name.endswith(".npy") and mode == "r"]
    assert not checked, "what plan unpacked is not opened, and so not checked, again"


def test_a_session_of_several_arms_checks_its_unpacked_scan_once(
    study: Study, tmp_path: Path
) -> None:
    with np.load(study.scan) as scan:
        np.savez_compressed(tmp_path / "scan.npz", allow_pickle=True, **scan)
    folder = tmp_path / "run"
    plan.plan(replace(study.config(folder), scan=tmp_path / "scan.npz"))
    with watched(RunPaths(folder).cache) as opened:
        outcome = run.run(folder, TRUSTED)
    assert outcome.chunks_done > 10, "of two arms, each with its own model"
    whole = [name for name, mode in opened if name.endswith(".npy") and mode == "r"]
    assert len(whole) == 1, opened
