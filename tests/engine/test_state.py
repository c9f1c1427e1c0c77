from __future__ import annotations

import random
from pathlib import Path

import pytest

from ptyrun.engine import ledger as ledgers
from ptyrun.engine import state
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.processes import Process
from ptyrun.engine.records import ArmOpened, Closed, Failed, Forgotten, Halved, Started
from ptyrun.errors import DamageError
from ptyrun.paths import RunPaths
from tests.engine.test_ledger import MANIFEST, commit, session
from tests.engine.toys import toy_manifest


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    """A run to which everything happened that a ledger can tell."""
    paths = RunPaths(tmp_path)
    session(paths, [ArmOpened("one", 2.5), commit(0), commit(1), commit(2)])
    session(
        paths,
        [
            Forgotten("one", 1, 0, "missing"),
            commit(1, 1),
            commit(2, crc32c="00000009"),
            Halved("one", MANIFEST.arms[0].fingerprint, 32, 16, "no room", 1.0),
            Halved("one", "another", 32, 8, "no room", 1.0),
            Failed("one", 5, 1, "ValueError: no", "Traceback", 1.0),
            Started("one", 6, 0, 1.0),
        ],
        process=Process("elsewhere", "boot", 1, 1.0),
    )
    session(paths, closed=Closed(75, "the window is used up", 0, 1.0))
    return paths


def facts(ledger: Ledger) -> object:
    arm = ledger.progress.arms["one"]
    sessions = [
        (f.name, f.offset, f.crc, f.opened, f.closed, f.commits) for f in ledger.sessions.values()
    ]
    return (
        sessions,
        arm.committed,
        list(arm.lengths),
        list(arm.crcs),
        arm.generations,
        arm.forgotten,
        arm.rivals,
        arm.failures,
        arm.open_starts,
        arm.costs,
        arm.load_s,
        arm.halvings,
        arm.fitting_items,
        arm.commits,
    )


def read(paths: RunPaths, manifest: Manifest = MANIFEST) -> Ledger:
    ledger = Ledger(paths, manifest)
    ledger.refresh()
    return ledger


def restored(paths: RunPaths) -> Ledger | None:
    ledger = Ledger(paths, MANIFEST)
    if not state.restore(ledger):
        return None
    ledger.refresh()
    return ledger


def test_the_cache_says_what_the_ledger_says(paths: RunPaths) -> None:
    state.save(read(paths))
    again = restored(paths)
    assert again is not None
    assert facts(again) == facts(read(paths))


def test_what_came_after_the_cache_is_read_from_the_ledger(paths: RunPaths) -> None:
    state.save(read(paths))
    session(paths, [commit(9)])
    again = restored(paths)
    assert again is not None
    assert facts(again) == facts(read(paths))
    assert again.progress.arms["one"].committed[9]


def test_a_flipped_bit_in_what_the_cache_covers_is_still_found(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "CACHE_WORTH_BYTES", 0)
    state.save(read(paths))
    assert Ledger.open(paths, MANIFEST).progress.chunks_committed == 3
    path = sorted(paths.ledger.iterdir())[0]
    path.write_bytes(path.read_bytes().replace(b'"chunk":0', b'"chunk":4'))
    assert restored(paths) is None
    with pytest.raises(DamageError, match=path.stem):
        Ledger.open(paths, MANIFEST)


def test_a_long_ledger_is_loaded_through_the_cache(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.save(read(paths))
    monkeypatch.setattr(ledgers, "CACHE_WORTH_BYTES", 0)
    ledger = Ledger.open(paths, MANIFEST)
    assert facts(ledger) == facts(read(paths))


def test_no_damage_to_the_cache_changes_what_is_believed(paths: RunPaths) -> None:
    truth = facts(read(paths))
    state.save(read(paths))
    files = [path for path in paths.state.rglob("*") if path.is_file() and path.stat().st_size]
    chance = random.Random(1)
    for path in files:
        whole = path.read_bytes()
        for _ in range(6):
            place = chance.randrange(len(whole))
            flipped = whole[place] ^ 1 << chance.randrange(8)
            path.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
            again = restored(paths)
            assert again is None or facts(again) == truth, (path, place)
        path.write_bytes(whole)


def test_a_cache_of_another_manifest_is_not_believed(paths: RunPaths) -> None:
    state.save(read(paths))
    assert not state.restore(Ledger(paths, toy_manifest(80, 8, seed=5)))


def test_a_missing_cache_is_no_error(paths: RunPaths) -> None:
    assert not state.restore(Ledger(paths, MANIFEST))
    assert state.difference(read(paths)) is None


def test_saving_leaves_no_half_written_cache_beside_it(paths: RunPaths) -> None:
    for _ in range(2):
        state.save(read(paths))
    assert not list(paths.root.glob("*.partial"))
