"""Chunks that kill their worker, and chunks that were there when somebody else did."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ptyrun.engine.ledger import Ledger, SessionFile
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.poison import EXPECTED_INNOCENTS, is_set_aside
from ptyrun.engine.records import Closed, Failed, Opened, Record, Started
from ptyrun.engine.repair import repair
from ptyrun.errors import ExitCode, PredictorDiedError
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from tests.engine.children import die_in, spawn, work
from tests.engine.test_ledger import commit
from tests.engine.toys import decoded, expected, planned, toy_manifest, toy_run

KILLER = 3
GONE = replace(Process.current(), pid=2**22 + 1)


class Story:
    """A ledger of one arm whose sessions are told instead of run; each one is dead."""

    def __init__(self, manifest: Manifest) -> None:
        self.ledger = Ledger(RunPaths(Path("nowhere")), manifest)
        self.arm = self.ledger.progress.arms["one"]

    def session(self, records: Iterable[Record]) -> None:
        """One more session."""
        file = SessionFile(f"{len(self.ledger.sessions):06d}")
        self.ledger.sessions[file.name] = file
        facts: list[Any] = [
            *[self.ledger.manifest.digest, len(self.ledger.sessions), GONE.host, GONE.pid],
            *[GONE.started_s, GONE.boot_id, None, 0.0, "", "0"],
        ]
        opened = Opened(*facts)
        for record in (opened, *records):
            self.ledger.apply(file, record)

    def set_aside(self) -> list[int]:
        """Chunks that are not tried any more."""
        return [
            chunk
            for chunk in range(self.arm.plan.n_chunks)
            if is_set_aside(self.ledger, self.arm, chunk, lambda session: False)
        ]

    def deaths(self, chunk: int) -> int:
        return sum(1 for _ in self.ledger.deaths(self.arm, chunk, lambda session: False))


def start(chunk: int, stretch: int, together: int = 1) -> Started:
    return Started("one", chunk, 0, 1.0, stretch, together)


def committed(story: Story, chunk: int) -> Record:
    return replace(commit(chunk), fingerprint=story.arm.plan.fingerprint)


def test_a_death_is_charged_to_what_was_computed_and_not_to_what_waited_to_be_written() -> None:
    story = Story(toy_manifest(80, 8))
    story.session([start(0, 1), committed(story, 0), start(1, 2), start(2, 3)])
    assert [story.deaths(chunk) for chunk in range(4)] == [0, 0, 1, 0]


def test_a_chunk_that_is_tried_alone_after_its_neighbours_failed_is_charged_alone() -> None:
    story = Story(toy_manifest(80, 8))
    story.session([*(start(chunk, 1, together=3) for chunk in range(3)), start(0, 2)])
    assert [story.deaths(chunk) for chunk in range(4)] == [1, 0, 0, 0]


def test_deaths_among_neighbours_alone_set_nothing_aside() -> None:
    story = Story(toy_manifest(800, 8))
    story.session(
        record
        for chunk in range(90)
        for record in (start(chunk, chunk + 1), committed(story, chunk))
    )
    for _ in range(5):
        story.session([start(0, 1), start(95, 2, together=2), start(96, 2, together=2)])
    assert story.deaths(95) == 5
    assert story.set_aside() == []
    for _ in range(3):
        story.session([start(0, 1), start(95, 2)])
    assert story.set_aside() == [95]


def test_nothing_is_set_aside_while_nothing_else_got_through() -> None:
    """A broken model, or a window that is always cut off too early."""
    story = Story(toy_manifest(80, 8))
    for chunk in (*range(10), *range(10), *range(10)):
        story.session([start(chunk, 1)])
    assert story.set_aside() == []


def test_failures_are_counted_as_before() -> None:
    story = Story(toy_manifest(80, 8))
    failed = Failed("one", 5, 1, "ValueError: no", "", 1.0)
    story.session([start(5, 1), failed, start(5, 2), failed])
    assert story.set_aside() == []
    story.session([start(5, 1), failed])
    assert story.set_aside() == [5]


def test_a_chunk_that_got_through_in_the_end_is_not_set_aside() -> None:
    story = Story(toy_manifest(80, 8))
    failed = Failed("one", 5, 1, "ValueError: no", "", 1.0)
    story.session([start(5, 1), failed, start(5, 2), failed, start(5, 3), failed])
    assert story.set_aside() == [5]
    story.session([start(5, 1), committed(story, 5)])
    assert story.set_aside() == []


def test_a_chunk_s_own_deaths_do_not_make_deaths_likely() -> None:
    story = Story(toy_manifest(160, 8))
    story.session(
        record
        for chunk in range(14)
        for record in (start(chunk, chunk + 1), committed(story, chunk))
    )
    for _ in range(3):
        assert story.set_aside() == []
        story.session([start(0, 1), start(15, 2)])
    # 20 chunks, of which nothing speaks against any other: 20 / 16**3 is below 0.005, and it would
    # not be if this one counted among the others.
    assert story.set_aside() == [15]


def simulated(n_chunks: int, at_first: float, later: float, dice: random.Random) -> set[int]:
    """Chunks that are ever set aside in a run whose every death comes from outside.

    Parameters
    ----------
    at_first, later : float
        Probability that a session dies in its first chunk, and in each later one.
    """
    story = Story(toy_manifest(n_chunks * 8, 8))
    arm = story.arm
    blamed: set[int] = set()
    while left := [chunk for chunk in arm.missing() if chunk not in blamed]:
        records: list[Record] = []
        for stretch, chunk in enumerate(sorted(left, key=lambda c: (story.deaths(c), c)), 1):
            records.append(start(chunk, stretch))
            if dice.random() < (at_first if stretch == 1 else later):
                break
            records.append(committed(story, chunk))
        else:
            records.append(Closed(0, "", len(records), 1.0))
        story.session(records)
        blamed.update(story.set_aside())
    return blamed


@pytest.mark.parametrize(
    ("n_chunks", "at_first", "later"),
    [(10, 0.1, 0.1), (24, 0.3, 0.05), (24, 0.5, 0.5), (24, 0.7, 0.1), (60, 0.2, 0.02)],
)
def test_kills_from_outside_set_an_innocent_chunk_aside_as_rarely_as_promised(
    n_chunks: int, at_first: float, later: float
) -> None:
    dice = random.Random(n_chunks)
    runs = 200
    innocents = sum(len(simulated(n_chunks, at_first, later, dice)) for _ in range(runs))
    # Rates are estimated from few chunks, and this is a sample.
    assert innocents / runs <= 6 * EXPECTED_INNOCENTS


def killed_until_it_ends(folder: Path, **options: object) -> tuple[int, int]:
    """Sessions that die, until one does not: how many died, and the last one's exit code."""
    for deaths in range(12):
        child = spawn(work, folder, batch_items=8, **options)
        child.join(300)
        assert child.exitcode is not None
        if child.exitcode != -signal.SIGKILL:
            return deaths, child.exitcode
    raise AssertionError("it never ended")


@pytest.mark.parametrize("killer", [0, KILLER, 9])
def test_a_chunk_that_kills_its_worker_is_set_aside_and_the_others_are_there(
    killer: int, tmp_path: Path
) -> None:
    manifest = planned(tmp_path, toy_manifest(80, 8))
    deaths, code = killed_until_it_ends(tmp_path, trouble=partial(die_in, 8 * killer))
    assert code == ExitCode.FAILED
    assert 3 <= deaths <= 7
    outcome = toy_run(tmp_path)
    assert (outcome.stop, outcome.chunks_left) == (ExitCode.FAILED, 1)
    assert f"chunk {killer} of arm one was quarantined: it killed its worker" in outcome.reason

    assert repair(RunPaths(tmp_path), []) == []
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)


def test_thirty_kills_at_random_set_nothing_aside(tmp_path: Path) -> None:
    manifest = planned(tmp_path, toy_manifest(2400, 8))
    dice = random.Random(164)
    kills = 0
    while kills < 30:
        child = spawn(work, tmp_path, batch_items=8, compute_s=0.03)
        began_s = time.monotonic()
        while not worked(tmp_path, child.pid) and time.monotonic() < began_s + 300:
            time.sleep(0.005)
        child.join(dice.uniform(0, 0.25))
        if child.exitcode is not None:
            break
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        kills += 1
    ledger = open_ledger(RunPaths(tmp_path), manifest)
    arm = ledger.progress.arms["one"]
    died = [c for c in arm.open_starts if any(ledger.deaths(arm, c, lambda session: False))]
    assert (kills, len(died)) >= (30, 15), "these kills met no chunk: the test does not bite"
    outcome = toy_run(tmp_path)
    assert outcome.stop is ExitCode.COMPLETE
    assert decoded(tmp_path) == expected(manifest)


def worked(folder: Path, pid: int | None) -> bool:
    return any(b'"start"' in path.read_bytes() for path in (folder / "ledger").glob(f"*-{pid}-*"))


def killed_predictor() -> PredictorDiedError:
    error = PredictorDiedError("gone", "SIGKILL", "again")
    error.by_chance = True
    return error


def test_fifty_kills_of_a_predictor_at_random_set_nothing_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ptyrun.engine.schedule.BACKOFF_S", 0.0)
    manifest = planned(tmp_path, toy_manifest(80, 1))
    dice = random.Random(3)
    kills = 0

    def trouble(_items: range) -> None:
        nonlocal kills
        if kills < 50 and dice.random() < 0.5:
            kills += 1
            raise killed_predictor()

    outcome = toy_run(tmp_path, batch_items=1, trouble=trouble)
    assert outcome.stop is ExitCode.COMPLETE, outcome.reason
    assert kills == 50
    assert decoded(tmp_path) == expected(manifest)


def test_a_predictor_that_dies_in_one_chunk_again_and_again_has_it_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ptyrun.engine.schedule.BACKOFF_S", 0.0)
    planned(tmp_path, toy_manifest(40, 1))

    def trouble(items: range) -> None:
        if 7 in items:
            raise killed_predictor()

    outcome = toy_run(tmp_path, batch_items=1, trouble=trouble)
    assert outcome.stop is ExitCode.FAILED
    assert "chunk 7 of arm one was quarantined" in outcome.reason
    assert outcome.chunks_left == 1
