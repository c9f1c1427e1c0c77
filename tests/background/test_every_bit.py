"""A flipped bit in any file of a run is found and named, then put right or refused."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from ptyrun.comparison import repeat
from ptyrun.comparison.content import check_content
from ptyrun.comparison.run import Run
from ptyrun.config import ArmConfig, CompareConfig
from ptyrun.engine import ledger_cache
from ptyrun.engine.integrity import Damage, Level
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from ptyrun.ptycho.readers.npy_cache import NpyCache
from ptyrun.stages.verify import verify
from tests.paced import Bench
from tests.studies import content

# Nobody takes a figure from these.
# What is for people, and believed for nothing.
WORDS = ("logs/", "claims/", "process.lock", "config.toml")
KINDS = {
    "manifest": "manifest.json",
    "replaced manifest": "superseded/*.json",
    "ledger": "ledger/*.jsonl",
    "chunk": "arrays.zarr/pinn/patches/c.*",
    "index array": "arrays.zarr/index/**/c.*",
    "positions": "arrays.zarr/pinn/positions_px/c.*",
    "metadata": "arrays.zarr/**/zarr.json",
    "sum of the ledger": "ledger.cache",
    "object": "objects.zarr/**/c.*",
    "metadata of objects": "objects.zarr/**/zarr.json",
    "results": "results.json",
    "table": "*.csv",
    "picture": "*.png",
    "archive": "*.npz",
    "what an archive holds": "*_metadata.txt",
    "checksums": "SHA256SUMS",
    "report": "report/*",
    "preview": "preview/*",
    "digests of inputs": "cache/digests.json",
    "costs of steps": "cache/costs.json",
    "what was asked for": "cache/asked.json",
    "chunks that were read": "cache/checked.json",
    "what steps found": "cache/steps/*",
    "process": "process.json",
    "completion": "completion.json",
    "marks of its users": "owner.json",
}
BEYOND_REPAIR = {"manifest", "replaced manifest"}


@pytest.fixture(scope="module")
def whole(finished: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A run that has a file of every kind: planned anew, completed, looked into. Not to change."""
    bench = Bench(finished.inputs, tmp_path_factory.mktemp("whole") / "run")
    shutil.copytree(finished.run, bench.run)
    words = [
        *[f"--pinn_dir={bench.inputs / 'model'}", f"--test_data={bench.inputs / 'scan.npz'}"],
        *[
            f"--output_dir={bench.run}",
            "--no-vector-plots",
            "--n-test-groups=24",
            "--pinn-chunk-size=4",
        ],
        *["--pinn-predict-batch-size=4", "--frc-sigma=0.5", "--invalidate=results"],
    ]
    assert bench.do("plan", *words).returncode == 0
    bench.start()
    assert bench.do("wait").returncode == 0
    assert bench.do("preview").returncode == 0
    paths = RunPaths(bench.run)
    asked = CompareConfig(
        scan=bench.inputs / "scan.npz",
        arms=(ArmConfig("pinn", bench.inputs / "model", "PINN"),),
        output_dir=bench.run,
    )
    with pytest.MonkeyPatch.context() as patched:
        # The sum of so short a ledger is not worth a file, nor is a network of others remembered.
        patched.setattr(ledger_cache, "CACHE_WORTH_BYTES", 0)
        patched.setattr(repeat, "_framework", lambda _facts: None)
        ledger_cache.save(open_ledger(paths, Manifest.load(paths.manifest)))
        repeat.remember(asked)
    return bench


@pytest.fixture
def victim(whole: Bench, tmp_path: Path) -> Bench:
    bench = Bench(whole.inputs, tmp_path / "run")
    shutil.copytree(whole.run, bench.run)
    return bench


def files(run: Path, pattern: str) -> list[Path]:
    """Not empty, and with the longest first: whose bits nothing else may cover."""
    found = [path for path in run.glob(pattern) if path.is_file() and path.stat().st_size]
    return sorted(found, key=lambda path: (-path.stat().st_size, path))


def flips(path: Path, chance: random.Random, most: int = 4) -> Iterator[None]:
    """Flip a bit somewhere, at both ends and in the middle, one at a time."""
    kept = path.read_bytes()
    places = (chance.randrange(len(kept)), 0, len(kept) // 2, len(kept) - 1)
    for place in places[:most]:
        data = bytearray(kept)
        data[place] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        yield
    path.write_bytes(kept)


def names(path: Path, run: Path, found: tuple[Damage, ...]) -> bool:
    where = path.relative_to(run).as_posix()
    return any(where == each.path or where.startswith(f"{each.path}/") for each in found)


def test_a_whole_run_has_nothing_to_name(whole: Bench) -> None:
    for level in Level:
        assert verify(whole.run, level).damages == ()


def test_every_file_of_a_run_is_of_a_kind_that_is_looked_at(whole: Bench) -> None:
    known = {path for pattern in KINDS.values() for path in files(whole.run, pattern)}
    every = {path for path in whole.run.rglob("*") if path.is_file() and path.stat().st_size}
    others = {path.relative_to(whole.run).as_posix() for path in every - known}
    assert not {name for name in others if not name.startswith(WORDS)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_found_and_named(kind: str, victim: Bench) -> None:
    chance = random.Random(kind)
    looked_at = files(victim.run, KINDS[kind])
    assert looked_at, "the run has no such file: this test no longer bites"
    for n, path in enumerate(looked_at):
        for _ in flips(path, chance, most=1 if n > 2 else 4):
            assert names(path, victim.run, verify(victim.run).damages), path
    assert verify(victim.run).damages == ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_flipped_is_put_right_or_refused(kind: str, victim: Bench) -> None:
    path = files(victim.run, KINDS[kind])[0]
    next(flips(path, random.Random(3)))
    verdict = verify(victim.run, repair=True)
    if kind in BEYOND_REPAIR:
        assert names(path, victim.run, verdict.beyond_repair)
        assert names(path, victim.run, verify(victim.run).damages)
    else:
        assert verdict.beyond_repair == ()
        assert verify(victim.run).damages == ()


@pytest.mark.slow
def test_after_a_bit_of_every_kind_was_lost_a_repair_and_a_session_restore_all(
    victim: Bench, whole: Bench
) -> None:
    for kind in KINDS.keys() - BEYOND_REPAIR:
        next(flips(files(victim.run, KINDS[kind])[0], random.Random(kind)))
    assert victim.do("verify").returncode == 3
    repaired = victim.do("verify", "--repair")
    assert repaired.returncode == 0, repaired.stdout
    assert f"`ptyrun finalize {victim.run}`" in repaired.stdout
    victim.start("--adopt")  # the mark of who planned it was lost as well
    done = victim.do("wait")
    assert done.returncode == 0, done.stderr
    check_content(Run(victim.run))
    assert verify(victim.run).damages == ()
    assert content(victim.run) == content(whole.run)


def test_a_run_with_a_damaged_manifest_is_refused_by_everyone(victim: Bench) -> None:
    next(flips(victim.run / "manifest.json", random.Random(4)))
    for command in ("run", "start", "status"):
        done = victim.do(command)
        assert done.returncode in (1, 2)
        assert "manifest" in done.stderr


def test_an_unpacked_scan_is_read_at_the_fullest_level_only(victim: Bench) -> None:
    cached = NpyCache(victim.run / "cache").publish(
        "a member of a scan", 4, lambda *_: iter([(b"rows", "")])
    )
    assert verify(victim.run).damages == ()
    cached.write_bytes(b"rowz")
    assert verify(victim.run, Level.SAMPLE).damages == ()
    (damage,) = verify(victim.run, repair=True).damages
    assert names(cached, victim.run, (damage,))
    assert not cached.exists()


def test_notes_of_a_session_at_work_are_left_to_it(victim: Bench) -> None:
    next(flips(victim.run / "process.json", random.Random(5)))
    with FileLock(victim.run / "process.lock"):
        verdict = verify(victim.run, repair=True)
    assert names(victim.run / "process.json", victim.run, verdict.beyond_repair)
    assert verify(victim.run, repair=True).beyond_repair == ()


def test_coreutils_agree_with_what_vouches_for_the_results(victim: Bench) -> None:
    def said_by_coreutils() -> subprocess.CompletedProcess[str]:
        words = ["sha256sum", "--check", "--quiet", "--strict", checksums.NAME]
        return subprocess.run(words, cwd=victim.run, capture_output=True, text=True, check=False)

    assert said_by_coreutils().returncode == 0
    (victim.run / "results.json").write_text("{}")
    assert "results.json: FAILED" in said_by_coreutils().stdout


def test_a_foreign_file_among_the_objects_is_named_and_removed(victim: Bench) -> None:
    stranger = victim.run / "objects.zarr/pinn/object/c.9.9"
    stranger.write_bytes(b"not of this run")
    (damage,) = verify(victim.run, repair=True).damages
    assert (
        str(damage)
        == "unexpected: objects.zarr/pinn/object/c.9.9: it does not belong to the results"
    )
    assert not stranger.exists()
