"""Damage is found by name, and put right where it can be."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.comparison import wholeness
from ptyrun.engine.integrity import Damage, byte_damages
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.records import Opened, decode, encode
from ptyrun.paths import RunPaths
from tests.studies import TRUST, Study, content, ptyrun


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("level", ["size", "sample", "full"])
def test_a_whole_run_is_said_to_be_whole(level: str, complete: Path) -> None:
    process = ptyrun("verify", str(complete), "--level", level)
    assert process.returncode == 0
    assert process.stdout == f"OK: 14 chunks of 2 arms, level {level}\n"


@pytest.mark.parametrize(
    "name",
    [
        "arrays.zarr/pinn/patches/c.2.0.0",
        "arrays.zarr/pinn/patches/zarr.json",
        "arrays.zarr/index/baseline/frames/c.0.0",
    ],
)
def test_a_flipped_bit_is_named_and_repaired(
    name: str, run_dir: Path, complete: Path, study: Study
) -> None:
    flip_a_bit(run_dir / name)
    found = ptyrun("verify", str(run_dir))
    assert found.returncode == 3
    assert name.rpartition("/")[0] in found.stdout
    assert f"do:  `ptyrun verify {run_dir} --repair`" in found.stderr
    assert f"made again by `ptyrun run {run_dir}`" in found.stderr

    assert ptyrun("verify", str(run_dir), "--repair").returncode == 0
    assert ptyrun("run", str(run_dir), *TRUST).returncode == 0
    assert ptyrun("verify", str(run_dir)).returncode == 0
    assert content(run_dir) == content(complete)


def test_a_flipped_bit_in_the_manifest_is_named_and_not_repaired(run_dir: Path) -> None:
    flip_a_bit(run_dir / "manifest.json")
    assert "manifest.json" in ptyrun("verify", str(run_dir)).stdout
    repaired = ptyrun("verify", str(run_dir), "--repair")
    assert repaired.returncode == 3
    assert "do:  restore what is named from a copy" in repaired.stderr
    assert ptyrun("run", str(run_dir)).returncode != 0


def test_results_whose_ledger_is_gone_are_not_whole(
    run_dir: Path, complete: Path, study: Study
) -> None:
    for ledger in (run_dir / "ledger").iterdir():
        ledger.unlink()
    for level in ("size", "full"):
        found = ptyrun("verify", str(run_dir), "--level", level)
        assert found.returncode == 3
        (said,) = found.stdout.splitlines()
        assert said.startswith("result: results.json: the ledger that it was made from is gone")
        assert "14 chunks" in said and "ptyrun run" in said and "--repair" in said
    again = ptyrun(*study.words(run_dir))
    assert again.returncode == 0
    assert "14 chunks done" in again.stdout
    assert ptyrun("verify", str(run_dir)).returncode == 0
    assert content(run_dir) == content(complete)


def test_a_ledger_that_was_cut_off_is_damage_if_a_chunk_is_lost_by_it_and_else_a_note(
    run_dir: Path,
) -> None:
    ledger = max((run_dir / "ledger").iterdir(), key=lambda path: path.stat().st_size)
    first, _, rest = ledger.read_bytes().partition(b"\n")
    opened = decode(first)
    assert isinstance(opened, Opened)
    # This process made it, and lives on.
    whole = encode(replace(opened, process_started_s=0.0)) + rest
    assert whole.splitlines()[-1].startswith(b'{"event":"close"')
    ledger.write_bytes(whole[:-20])
    found = ptyrun("verify", str(run_dir))
    assert found.returncode == 0
    assert f"note: ledger/{ledger.name} ends in an incomplete line" in found.stderr
    ledger.write_bytes(whole[: whole.rindex(b'"event":"commit"')])
    found = ptyrun("verify", str(run_dir))
    assert found.returncode == 3
    assert (
        "results.json: the ledger that it was made from is gone: 1 chunk not in it" in found.stdout
    )
    assert "incomplete line" not in found.stderr
    ledger.write_bytes(whole)
    assert "note: ledger" not in ptyrun("verify", str(run_dir)).stderr


def test_a_repair_takes_results_back_whose_ledger_is_gone(run_dir: Path) -> None:
    shutil.rmtree(run_dir / "ledger")
    repaired = ptyrun("verify", str(run_dir), "--repair")
    assert repaired.returncode == 0
    again = f"made again by `ptyrun run {run_dir}`, `ptyrun finalize {run_dir}`"
    assert again in repaired.stdout
    assert not (run_dir / "results.json").exists()
    found = ptyrun("verify", str(run_dir))
    assert found.returncode == 0
    assert found.stdout == "OK so far: 0 chunks of 2 arms, level full; 14 are not computed\n"


@pytest.mark.parametrize("command", ["compare", "finalize"])
def test_a_complete_run_with_a_changed_chunk_is_not_called_complete(
    command: str, run_dir: Path, complete: Path, study: Study
) -> None:
    words = study.words(run_dir) if command == "compare" else [command, str(run_dir)]
    for _ in range(2):  # the first time the files are new: it is a copy
        assert ptyrun(*words).returncode == 0
    name = "arrays.zarr/baseline/patches/c.3.0.0"
    flip_a_bit(run_dir / name)
    for _ in range(2):
        refused = ptyrun(*words)
        assert refused.returncode == 1
        assert name in refused.stderr
        assert "ptyrun verify --repair" in refused.stderr
    assert ptyrun("verify", str(run_dir), "--repair").returncode == 0
    assert ptyrun(*study.words(run_dir)).returncode == 0
    assert content(run_dir) == content(complete)


def test_a_chunk_is_read_again_only_when_its_file_was_touched(
    run_dir: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def noted(paths: RunPaths, arm: ArmProgress, chunk: int) -> Iterator[Damage]:
        read.append(chunk)
        return byte_damages(paths, arm, chunk)

    monkeypatch.setattr(wholeness, "byte_damages", noted)
    counts = []
    for touch in (False, False, True, False):
        if touch:
            (run_dir / "arrays.zarr/pinn/patches/c.2.0.0").touch()
        assert ptyrun(*study.words(run_dir)).returncode == 0
        counts.append(len(read))
        read.clear()
    assert counts == [14, 0, 1, 0]  # a copy is made of new files


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize("lose", [cut, Path.unlink])
def test_a_lost_manifest_is_planned_again_by_the_same_command_alone(
    lose: Callable[[Path], None], run_dir: Path, complete: Path, study: Study
) -> None:
    lose(run_dir / "manifest.json")
    other = ptyrun(*study.words(run_dir, "--grouping-seed=1"))
    assert other.returncode == 1
    assert "manifest" in other.stderr
    assert ptyrun(*study.words(run_dir)).returncode == 0
    assert content(run_dir) == content(complete)


def test_what_is_a_cache_can_be_deleted_without_losing_computation(
    run_dir: Path, complete: Path, study: Study
) -> None:
    for name in ("cache", "claims", "objects.zarr", "report"):
        shutil.rmtree(run_dir / name, ignore_errors=True)
    (run_dir / "results.json").unlink()
    process = ptyrun(*study.words(run_dir))
    assert "nothing was left to compute" in process.stdout
    assert content(run_dir) == content(complete)


@pytest.mark.parametrize(
    ("name", "command"), [("results.json", "finalize"), ("report/index.html", "report")]
)
def test_a_damaged_result_is_made_again_by_the_command_that_is_named(
    name: str, command: str, run_dir: Path, complete: Path
) -> None:
    flip_a_bit(run_dir / name)
    again = f"`ptyrun {command} {run_dir}`"
    found = ptyrun("verify", str(run_dir))
    assert f"`ptyrun verify {run_dir} --repair` discards what is damaged" in found.stderr
    assert found.stderr.rstrip().endswith(f"made again by {again}")
    repaired = ptyrun("verify", str(run_dir), "--repair")
    assert repaired.stdout.rstrip().endswith(f"what is missing is made again by {again}")
    assert ptyrun(command, str(run_dir)).returncode == 0
    assert ptyrun("verify", str(run_dir)).returncode == 0
    assert (run_dir / name).exists()
