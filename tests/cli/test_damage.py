"""Damage is found by name, and put right where it can be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.studies import TRUST, Study, content, ptyrun


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("level", ["size", "sample", "full"])
def test_a_whole_run_is_said_to_be_whole(level: str, complete: Path) -> None:
    process = ptyrun("verify", str(complete), "--level", level)
    assert process.returncode == 0
    assert process.stdout == f"whole: 14 chunks of 2 arms, level {level}\n"


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

    assert ptyrun("verify", str(run_dir), "--repair").returncode == 0
    assert ptyrun("run", str(run_dir), *TRUST).returncode == 0
    assert ptyrun("verify", str(run_dir)).returncode == 0
    assert content(run_dir) == content(complete)


def test_a_flipped_bit_in_the_manifest_is_named_and_not_repaired(run_dir: Path) -> None:
    flip_a_bit(run_dir / "manifest.json")
    assert "manifest.json" in ptyrun("verify", str(run_dir)).stdout
    assert ptyrun("verify", str(run_dir), "--repair").returncode == 3
    assert ptyrun("run", str(run_dir)).returncode != 0


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
