"""Every kind of damage to every kind of file of a run: found, named, repaired or refused."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ptyrun.engine import integrity, ledger_cache
from ptyrun.engine.integrity import Damage, Kind, Level, verify
from ptyrun.engine.ledger import supersede
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.repair import repair
from ptyrun.errors import (
    DamageError,
    ExitCode,
    ForeignFileError,
    InputError,
    PtyrunError,
    StorageError,
)
from ptyrun.paths import RunPaths
from tests.engine.toys import decoded, expected, planned, toy_manifest, toy_run

CHUNK = "arrays.zarr/one/patches/c.3.0.0"


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    """A complete run of two arms."""
    planned(tmp_path, toy_manifest(40, 8, {"one": 1.0, "two": 2.0}))
    assert toy_run(tmp_path).stop is ExitCode.COMPLETE
    return RunPaths(tmp_path)


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def restored(paths: RunPaths, damages: list[Damage]) -> None:
    """Repair, run again, and be as an uninterrupted run."""
    assert repair(paths, damages) == []
    assert toy_run(paths.root).stop is ExitCode.COMPLETE
    assert decoded(paths.root) == expected(Manifest.load(paths.manifest))
    assert verify(paths) == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def swap(path: Path) -> None:
    """Whole, of the right size, but another chunk: its own CRC matches."""
    shutil.copy(path.with_name("c.1.0.0"), path)


DAMAGES: dict[str, tuple[Callable[[Path], object], Kind, Level]] = {
    "missing": (Path.unlink, Kind.MISSING, Level.SIZE),
    "last byte lost": (truncate, Kind.TRUNCATED, Level.SIZE),
    "empty": (lambda path: path.write_bytes(b""), Kind.TRUNCATED, Level.SIZE),
    "one byte more": (lambda p: p.write_bytes(p.read_bytes() + b"x"), Kind.TRUNCATED, Level.SIZE),
    "all zeros": (zero, Kind.DAMAGED, Level.FULL),
    "flipped bit": (lambda path: flip(path, 100, 3), Kind.DAMAGED, Level.FULL),
    "flipped bit in its CRC": (lambda path: flip(path, -1, 3), Kind.DAMAGED, Level.FULL),
    "another chunk": (swap, Kind.DAMAGED, Level.FULL),
}


def test_a_sound_run_has_nothing_to_name(paths: RunPaths) -> None:
    for level in Level:
        assert verify(paths, level) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_chunk_is_named_and_computed_again(paths: RunPaths, name: str) -> None:
    harm, kind, level = DAMAGES[name]
    harm(paths.root / CHUNK)
    (damage,) = verify(paths, level)
    assert (damage.kind, damage.path, damage.arm, damage.chunk) == (kind, CHUNK, "one", 3)
    assert CHUNK in str(damage)
    if level is Level.FULL:
        assert verify(paths, Level.SIZE) == []
        assert verify(paths, Level.SAMPLE) == [damage], "a small run is its own sample"
    restored(paths, [damage])


def test_every_bit_of_every_file_counts(paths: RunPaths) -> None:
    """Flip one random bit of each file at a time: each time the file is named."""
    supersede(paths, toy_manifest(seed=7))
    assert verify(paths) == []
    chance = random.Random(2)
    folders = (paths.ledger, paths.arrays, paths.superseded)
    files = [paths.manifest, *(p for folder in folders for p in folder.rglob("*") if p.is_file())]
    assert len(files) > 20
    for path in files:
        whole = path.read_bytes()
        for _ in range(4):
            flip(path, chance.randrange(len(whole)), chance.randrange(8))
            named = {damage.path for damage in verify(paths)}
            where = path.relative_to(paths.root).as_posix()
            assert any(where == each or where.startswith(f"{each}/") for each in named), where
            path.write_bytes(whole)
    assert verify(paths) == []


def test_a_damaged_line_of_the_ledger_is_disregarded_and_its_chunk_computed_again(
    paths: RunPaths,
) -> None:
    path = sorted(paths.ledger.iterdir())[0]
    lines = path.read_bytes().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if b'"commit"' in line)
    place = sum(map(len, lines[:number])) + 30
    flip(path, place, 1)
    with pytest.raises(DamageError, match=path.stem):
        toy_run(paths.root)
    damages = verify(paths)
    assert {damage.kind for damage in damages} <= {Kind.LEDGER, Kind.STATE}
    restored(paths, damages)


def test_a_session_whose_first_line_is_damaged_counts_no_more(paths: RunPaths) -> None:
    flip(sorted(paths.ledger.iterdir())[0], 30, 1)
    restored(paths, verify(paths))
    assert open_ledger(paths, Manifest.load(paths.manifest)).progress.chunks_committed == 10


@pytest.mark.parametrize("harm", [truncate, zero, Path.unlink], ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("where", ["", "one", "one/patches", "index"])
def test_damaged_metadata_is_written_anew(
    paths: RunPaths, where: str, harm: Callable[[Path], None]
) -> None:
    harm(paths.arrays / where / "zarr.json")
    damages = verify(paths)
    assert [damage.kind for damage in damages] == [Kind.METADATA]
    assert damages[0].path == "/".join(filter(None, ("arrays.zarr", where, "zarr.json")))
    restored(paths, damages)


def test_a_foreign_chunk_is_named_and_removed(paths: RunPaths) -> None:
    shutil.copy(paths.root / CHUNK, paths.arrays / "one/patches/c.99.0.0")
    (damage,) = verify(paths, Level.SIZE)
    assert damage.kind is Kind.UNEXPECTED and damage.path.endswith("c.99.0.0")
    restored(paths, [damage])


def test_a_damaged_manifest_is_named_and_nothing_is_touched(paths: RunPaths) -> None:
    flip(paths.manifest, 200, 0)
    (damage,) = verify(paths)
    assert damage.kind is Kind.MANIFEST
    before = sorted(path.name for path in paths.ledger.iterdir())
    assert repair(paths, [damage]) == [damage]
    assert sorted(path.name for path in paths.ledger.iterdir()) == before
    with pytest.raises(PtyrunError):
        toy_run(paths.root)


def test_a_damaged_index_is_named_and_beyond_repair_here(paths: RunPaths) -> None:
    flip(paths.arrays / "index/one/frames/c.0.0", 17, 0)
    (damage,) = verify(paths)
    assert (damage.kind, damage.path) == (Kind.INDEX, "arrays.zarr/index/one/frames")
    assert repair(paths, [damage]) == [damage]


def test_a_session_of_another_manifest_is_named_and_beyond_repair(paths: RunPaths) -> None:
    other = toy_manifest(seed=9)
    elsewhere = RunPaths(paths.root / "elsewhere")
    planned(elsewhere.root, other)
    toy_run(elsewhere.root)
    (stranger,) = elsewhere.ledger.iterdir()
    shutil.copy(stranger, paths.ledger / "000099-other-1-00000000.jsonl")
    shutil.rmtree(elsewhere.root)
    (damage,) = [d for d in verify(paths) if d.kind is Kind.LEDGER]
    assert damage.path == "ledger/000099-other-1-00000000.jsonl"
    assert repair(paths, [damage]) == [damage]


def test_a_wrong_cache_is_named_and_removed(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_cache, "CACHE_WORTH_BYTES", 0)
    ledger_cache.save(open_ledger(paths, Manifest.load(paths.manifest)))
    assert verify(paths) == []
    flip(paths.ledger_cache, -5, 0)
    (damage,) = verify(paths)
    assert damage.kind is Kind.STATE
    assert repair(paths, [damage]) == []
    assert verify(paths) == []


@pytest.mark.parametrize("left", ["x.partial", "x", "c.99.0.0", "c.-1.0.0"])
def test_what_else_lies_among_the_chunks_takes_no_commit_away(paths: RunPaths, left: str) -> None:
    """As a half-written file does that gets its name between listing and looking."""
    (paths.arrays / "one/patches" / left).symlink_to("/nowhere")
    found = verify(paths, Level.SIZE)
    assert [d.kind for d in found] == ([] if left == "x.partial" else [Kind.UNEXPECTED])
    assert toy_run(paths.root).chunks_done == 0
    assert repair(paths, found) == []
    assert verify(paths, Level.SIZE) == []


def test_a_chunk_whose_name_the_listing_lacks_is_looked_at_by_name(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "_sizes", lambda paths, arm: [-1] * arm.plan.n_chunks)
    assert verify(paths, Level.SIZE) == []
    (paths.root / CHUNK).unlink()
    assert [damage.chunk for damage in verify(paths, Level.SIZE)] == [3]


def test_a_chunk_that_is_forgotten_while_it_is_looked_at_is_no_damage(paths: RunPaths) -> None:
    manifest = Manifest.load(paths.manifest)
    ledger = open_ledger(paths, manifest)
    (paths.root / CHUNK).unlink()
    arm = ledger.progress.arms["one"]

    def another_session_finds_it() -> None:
        repair(paths, verify(paths, Level.SIZE))
        ledger.refresh()

    assert integrity.size_damages(paths, arm, another_session_finds_it) == []


def test_a_disk_that_does_not_tell_is_no_reason_to_forget(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.name == "c.3.0.0":
            raise OSError(errno.ESTALE, "stale")
        return real(path, **options)

    monkeypatch.setattr(integrity, "_sizes", lambda paths, arm: [-1] * arm.plan.n_chunks)
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(StorageError, match="network folder"):
        toy_run(paths.root)
    monkeypatch.undo()
    assert toy_run(paths.root).chunks_done == 0


def test_arrays_that_were_moved_away_are_no_reason_to_forget(paths: RunPaths) -> None:
    paths.arrays.rename(paths.root / "elsewhere")
    with pytest.raises(DamageError, match="put the folder back"):
        toy_run(paths.root)
    (paths.root / "elsewhere").rename(paths.arrays)
    assert toy_run(paths.root).chunks_done == 0


def test_a_folder_in_the_place_of_a_chunk_is_named_and_repaired(paths: RunPaths) -> None:
    (paths.root / CHUNK).unlink()
    (paths.root / CHUNK).mkdir()
    damages = verify(paths, Level.SIZE)
    assert [damage.kind for damage in damages] == [Kind.DAMAGED]
    restored(paths, damages)


def test_damage_that_is_no_more_when_it_is_repaired_is_not_forgotten(paths: RunPaths) -> None:
    whole = (paths.root / CHUNK).read_bytes()
    (paths.root / CHUNK).unlink()
    damages = verify(paths)
    (paths.root / CHUNK).write_bytes(whole)
    assert repair(paths, damages) == []
    assert toy_run(paths.root).chunks_done == 0


def test_a_folder_among_the_ledgers_is_passed_by(paths: RunPaths) -> None:
    (paths.ledger / "zz.jsonl").mkdir()
    assert toy_run(paths.root).stop is ExitCode.COMPLETE
    assert verify(paths) == []


def test_a_link_or_a_fifo_among_the_ledgers_is_refused_by_name(paths: RunPaths) -> None:
    odd = paths.ledger / "zy.jsonl"
    for make in (lambda: odd.symlink_to("/nowhere"), lambda: os.mkfifo(odd)):
        make()
        with pytest.raises(ForeignFileError, match=r"zy\.jsonl"):
            toy_run(paths.root)
        odd.unlink()
    assert toy_run(paths.root).stop is ExitCode.COMPLETE


def test_what_a_crash_leaves_is_no_damage(paths: RunPaths) -> None:
    (paths.arrays / "one/patches/c.3.0.0.01234567.partial").write_bytes(b"half")
    session = sorted(paths.ledger.iterdir())[-1]
    session.write_bytes(session.read_bytes() + b'{"event":"comm')
    assert verify(paths) == []


def test_verifying_tells_how_far_it_is(paths: RunPaths) -> None:
    steps: list[tuple[int, int]] = []
    verify(paths, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(number, 10) for number in range(1, 11)]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a planned run"):
        verify(RunPaths(tmp_path))
