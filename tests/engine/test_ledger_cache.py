from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.engine import ledger_cache
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import ArmOpened, Closed, Failed, Forgotten, Halved, Started
from ptyrun.errors import DamageError
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from tests.engine.test_ledger import MANIFEST, commit, session
from tests.engine.toys import toy_manifest

TempPaths: TypeAlias = pytest.TempPathFactory


@pytest.fixture(autouse=True)
def worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every ledger be long enough for a cache."""
    monkeypatch.setattr(ledger_cache, "CACHE_WORTH_BYTES", 0)


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
        arm.largest_working_batch,
        arm.commits,
    )


def read(paths: RunPaths, manifest: Manifest = MANIFEST) -> Ledger:
    ledger = Ledger(paths, manifest)
    ledger.refresh()
    return ledger


def restored(paths: RunPaths) -> Ledger | None:
    ledger = Ledger(paths, MANIFEST)
    if not ledger_cache.restore(ledger):
        return None
    ledger.refresh()
    return ledger


def test_the_cache_says_what_the_ledger_says(paths: RunPaths) -> None:
    ledger_cache.save(read(paths))
    again = restored(paths)
    assert again is not None
    assert facts(again) == facts(read(paths))


def test_what_came_after_the_cache_is_read_from_the_ledger(paths: RunPaths) -> None:
    ledger_cache.save(read(paths))
    session(paths, [commit(9)])
    again = restored(paths)
    assert again is not None
    assert facts(again) == facts(read(paths))
    assert again.progress.arms["one"].committed[9]


def test_a_flipped_bit_in_what_the_cache_covers_is_still_found(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_cache, "CACHE_WORTH_BYTES", 0)
    ledger_cache.save(read(paths))
    assert open_ledger(paths, MANIFEST).progress.chunks_committed == 3
    path = sorted(paths.ledger.iterdir())[0]
    path.write_bytes(path.read_bytes().replace(b'"chunk":0', b'"chunk":4'))
    assert restored(paths) is None
    with pytest.raises(DamageError, match=path.stem):
        open_ledger(paths, MANIFEST)


def test_a_long_ledger_is_loaded_through_the_cache(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger_cache.save(read(paths))
    monkeypatch.setattr(ledger_cache, "CACHE_WORTH_BYTES", 0)
    ledger = open_ledger(paths, MANIFEST)
    assert facts(ledger) == facts(read(paths))


def test_no_damage_to_the_cache_changes_what_is_believed(paths: RunPaths) -> None:
    truth = facts(read(paths))
    ledger_cache.save(read(paths))
    whole = paths.ledger_cache.read_bytes()
    chance = random.Random(1)
    for place in [*range(60), *chance.sample(range(len(whole)), 200), len(whole) - 1]:
        flipped = whole[place] ^ 1 << chance.randrange(8)
        paths.ledger_cache.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
        assert restored(paths) is None, place
        assert ledger_cache.difference(read(paths)) is not None
    for stop in (0, 5, 20, 29, 60, len(whole) - 1):
        paths.ledger_cache.write_bytes(whole[:stop])
        assert restored(paths) is None, stop
    paths.ledger_cache.write_bytes(whole)
    again = restored(paths)
    assert again is not None and facts(again) == truth
    assert ledger_cache.difference(read(paths)) is None


FORGED: dict[str, Callable[[Any], object]] = {
    "sessions are none": lambda d: d.update(sessions=None),
    "a session leads elsewhere": lambda d: d["sessions"][0].update(
        name="../ledger/x", offset=0, crc=0
    ),
    "a session begins before its file": lambda d: d["sessions"][0].update(offset=-1),
    "a session's commits are a text": lambda d: d["sessions"][0].update(commits="x"),
    "a session has a field more": lambda d: d["sessions"][0].update(more=1),
    "bad lines are numbers": lambda d: d.update(bad_lines=[1]),
    "a bad line is of other types": lambda d: d.update(bad_lines=[["a", "b", 1, 2, 3]]),
    "commits are a list": lambda d: d["arms"]["one"].update(commits=[]),
    "commits have thousands of digits": lambda d: d["arms"]["one"].update(commits=10**4000),
    "commits are below none": lambda d: d["arms"]["one"].update(commits=-1),
    "a generation is a text": lambda d: d["arms"]["one"].update(generations=[[1, "x"]]),
    "a generation of a chunk that is none": lambda d: d["arms"]["one"].update(
        forgotten=[[10**9, 1]]
    ),
    "rivals are nested": lambda d: d["arms"]["one"].update(rivals=[[1, [[1, [2]]]]]),
    "costs are texts": lambda d: d["arms"]["one"].update(costs=[["a", "b", True]]),
    "costs are beyond all": lambda d: d["arms"]["one"].update(costs=[[1e300, 1.0, True]]),
    "loading took no number": lambda d: d["arms"]["one"].update(load_s=[None]),
    "a line is none": lambda d: d["arms"]["one"].update(failures=[7]),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_cache_of_other_types_is_none_although_its_crc_is_right(
    how: str, paths: RunPaths
) -> None:
    ledger_cache.save(read(paths))
    _, _, body = paths.ledger_cache.read_bytes().split(b"\n", 2)
    text, _, columns = body.partition(b"\n")
    document = json.loads(text)
    FORGED[how](document)
    body = json.dumps(document).encode() + b"\n" + columns
    crc = b"%08x\n" % google_crc32c.value(body)
    paths.ledger_cache.write_bytes(b"ptyrun ledger cache\n" + crc + body)
    assert restored(paths) is None
    assert ledger_cache.difference(read(paths)) is not None


@given(st.binary(max_size=200), st.booleans())
def test_no_content_of_the_cache_is_an_error(
    tmp_path_factory: TempPaths, data: bytes, sealed: bool
) -> None:
    paths = RunPaths(tmp_path_factory.mktemp("any"))
    crc = b"%08x\n" % google_crc32c.value(data)
    paths.ledger_cache.write_bytes(b"ptyrun ledger cache\n" + crc + data if sealed else data)
    assert restored(paths) is None


@pytest.mark.parametrize("harm", ["folder", "dangling link", "a link to itself"])
def test_a_cache_that_cannot_be_read_or_written_is_none(paths: RunPaths, harm: str) -> None:
    if harm == "folder":
        paths.ledger_cache.mkdir()
        (paths.ledger_cache / "x").touch()
    else:
        paths.ledger_cache.symlink_to("/nowhere" if "dangling" in harm else paths.ledger_cache.name)
    assert restored(paths) is None
    ledger_cache.save(read(paths))
    again = restored(paths)
    assert (again is None) == (harm == "folder"), "a link is replaced"


def test_the_cache_is_one_file_that_needs_no_array_library(paths: RunPaths) -> None:
    ledger_cache.save(read(paths))
    assert paths.ledger_cache.is_file()
    code = "import sys, ptyrun.engine.ledger_cache; assert not {'numpy', 'zarr'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_cache_is_written_only_where_it_saves_enough(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_cache, "CACHE_WORTH_BYTES", Ledger(paths, MANIFEST).size() + 1)
    ledger_cache.save(read(paths))
    assert not paths.ledger_cache.exists()
    monkeypatch.setattr(ledger_cache, "CACHE_WORTH_BYTES", Ledger(paths, MANIFEST).size())
    ledger_cache.save(read(paths))
    before = paths.ledger_cache.stat().st_ino
    session(paths, [commit(7)])
    again = restored(paths)
    assert again is not None
    ledger_cache.save(again)
    assert paths.ledger_cache.stat().st_ino == before, "little came since"
    ledger_cache.save(read(paths))
    assert paths.ledger_cache.stat().st_ino != before, "read without it"


def test_every_failure_of_a_chunk_is_in_the_cache(paths: RunPaths) -> None:
    session(paths, [Failed("one", 5, 2, "ValueError: no", "Traceback", 1.0)])
    ledger_cache.save(read(paths))
    again = restored(paths)
    assert again is not None
    assert [f.attempt for f in again.progress.arms["one"].failures[5]] == [1, 2]


def test_a_cache_is_compared_by_what_it_covers_while_sessions_write_on(paths: RunPaths) -> None:
    before = read(paths)
    ledger_cache.save(before)
    session(paths, [commit(9)])
    assert ledger_cache.difference(before) is None
    assert ledger_cache.difference(read(paths)) is None


def test_a_cache_of_another_manifest_is_not_believed(paths: RunPaths) -> None:
    ledger_cache.save(read(paths))
    assert not ledger_cache.restore(Ledger(paths, toy_manifest(80, 8, seed=5)))


def test_a_missing_cache_is_no_error(paths: RunPaths) -> None:
    assert not ledger_cache.restore(Ledger(paths, MANIFEST))
    assert ledger_cache.difference(read(paths)) is None


def test_saving_leaves_no_half_written_cache_beside_it(paths: RunPaths) -> None:
    for _ in range(2):
        ledger_cache.save(read(paths))
    assert not list(paths.root.glob("*.partial"))
