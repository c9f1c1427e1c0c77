"""Four workers are killed, frozen and woken at random: the run ends in the bytes of one worker."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import Committed, Forgotten
from ptyrun.errors import ExitCode
from ptyrun.paths import RunPaths
from tests.engine.children import spawn
from tests.engine.toys import decoded, expected, planned, toy_manifest, toy_run
from tests.paced import until

WORKERS = 4
CHUNK_S = 0.02


def life(folder: Path) -> None:
    toy_run(folder, batch_items=4, compute_s=CHUNK_S)


def committed(folder: Path) -> set[int]:
    """Chunks that any line names; none is ever forgotten."""
    records = [record for _, record in read_records(RunPaths(folder))]
    assert not any(isinstance(record, Forgotten) for record in records)
    return {record.chunk for record in records if isinstance(record, Committed)}


def has_more(folder: Path, known: set[int]) -> bool:
    return committed(folder) > known


def disturb(folder: Path, kills: int, seed: int) -> None:
    """Keep four workers at work, and harm one after the other until *kills* of them are killed."""
    dice = random.Random(seed)
    alive: list[ForkServerProcess] = []
    known: set[int] = set()
    try:
        while kills:
            alive = [child for child in alive if child.is_alive()]
            alive += [spawn(life, folder) for _ in range(WORKERS - len(alive))]
            until(partial(has_more, folder, known))  # each harm meets workers at work
            time.sleep(dice.uniform(0, 2 * CHUNK_S))
            victim = dice.choice(alive)
            with suppress(ProcessLookupError):
                if dice.random() < 0.3 and victim.pid is not None:
                    os.kill(victim.pid, signal.SIGSTOP)
                    time.sleep(dice.uniform(0, 8 * CHUNK_S))
                    os.kill(victim.pid, signal.SIGCONT)
                else:
                    victim.kill()
                    victim.join()
                    kills -= 1
            known, before = committed(folder), known
            assert before <= known, "a commit was lost"
    finally:
        for child in alive:
            child.kill()
            child.join()


def ends_in_the_same_bytes(folder: Path, kills: int, seed: int, n_items: int) -> None:
    manifest = planned(folder, toy_manifest(n_items, 2))
    disturb(folder, kills, seed)
    before = committed(folder)
    assert 0 < len(before) < manifest.arms[0].n_chunks, "they were killed at nothing"
    outcome = toy_run(folder, max_attempts=1000)
    assert outcome.stop is ExitCode.COMPLETE, outcome.reason
    assert before <= committed(folder)
    assert decoded(folder) == expected(manifest)


def test_random_kills_of_four_workers_change_no_byte_and_lose_no_commit(tmp_path: Path) -> None:
    ends_in_the_same_bytes(tmp_path / "run", kills=6, seed=1, n_items=1200)


@pytest.mark.slow
def test_sixty_random_kills_of_four_workers_change_no_byte(tmp_path: Path) -> None:
    for seed in range(3):
        ends_in_the_same_bytes(tmp_path / f"run-{seed}", kills=20, seed=seed, n_items=2000)
