"""Damage is found by name, and put right where it can be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.studies import TRUST, Study, content, ptyrun


@pytest.fixture(scope="module")
def finished(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    assert ptyrun(*study.words(run_dir)).returncode == 0
    return run_dir


@pytest.fixture
def victim(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("level", ["size", "sample", "full"])
def test_a_whole_run_is_said_to_be_whole(level: str, finished: Path) -> None:
    process = ptyrun("verify", str(finished), "--level", level)
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
    name: str, victim: Path, finished: Path, study: Study
) -> None:
    flip_a_bit(victim / name)
    found = ptyrun("verify", str(victim))
    assert found.returncode == 3
    assert name.rpartition("/")[0] in found.stdout

    assert ptyrun("verify", str(victim), "--repair").returncode == 0
    assert ptyrun("run", str(victim), *TRUST).returncode == 0
    assert ptyrun("verify", str(victim)).returncode == 0
    assert content(victim) == content(finished)


def test_a_flipped_bit_in_the_manifest_is_named_and_not_repaired(victim: Path) -> None:
    flip_a_bit(victim / "manifest.json")
    assert "manifest.json" in ptyrun("verify", str(victim)).stdout
    assert ptyrun("verify", str(victim), "--repair").returncode == 3
    assert ptyrun("run", str(victim)).returncode != 0


def test_a_lost_manifest_is_planned_again_by_the_same_command_alone(
    victim: Path, finished: Path, study: Study
) -> None:
    (victim / "manifest.json").unlink()
    other = ptyrun(*study.words(victim, "--grouping-seed=1"))
    assert other.returncode == 1
    assert "manifest" in other.stderr
    assert ptyrun(*study.words(victim)).returncode == 0
    assert content(victim) == content(finished)


def test_what_is_a_cache_can_be_deleted_without_losing_computation(
    victim: Path, finished: Path, study: Study
) -> None:
    for name in ("cache", "claims", "objects.zarr", "report"):
        shutil.rmtree(victim / name, ignore_errors=True)
    (victim / "results.json").unlink()
    process = ptyrun(*study.words(victim))
    assert "nothing was left to compute" in process.stdout
    assert content(victim) == content(finished)
