"""Committed chunks are read as Zarr reads them, and what was checked is what is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptyrun.engine.arm_plan import chunk_key
from ptyrun.engine.chunk_reader import ChunkReader
from ptyrun.engine.integrity import Damage, Kind
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.store import ChunkWriter, create_arrays
from ptyrun.errors import DamageError
from ptyrun.paths import RunPaths
from tests.engine.toys import outputs_of, toy_manifest


def written(paths: RunPaths, compression: str, n_items: int) -> ArmProgress:
    """Write all chunks of a toy, and say what the ledger would."""
    manifest = toy_manifest(n_items, 8, compression=compression)
    plan = manifest.arms[0]
    create_arrays(paths, manifest)
    writer = ChunkWriter(paths, plan, compression)
    parts = {chunk: outputs_of(plan.chunk_range(chunk)) for chunk in range(plan.n_chunks)}
    stored, _ = writer.write(parts)
    writer.close()
    progress = ArmProgress(plan)
    for chunk, each in stored.items():
        bytes_ = (each.length, int(each.crc32c, 16))
        progress.commit("s", chunk, 0, plan.fingerprint, bytes_, (1.0, 0.1, True))
    return progress


@pytest.mark.parametrize("compression", ["none", "lz4"])
@pytest.mark.parametrize("n_items", [24, 21])
def test_every_chunk_is_read_as_it_was_computed(
    tmp_path: Path, compression: str, n_items: int
) -> None:
    paths = RunPaths(tmp_path)
    progress = written(paths, compression, n_items)
    reader = ChunkReader(paths, progress)
    for chunk in range(progress.plan.n_chunks):
        found = reader.read(chunk)
        assert isinstance(found, np.ndarray) and found.dtype == np.complex64
        np.testing.assert_array_equal(found, outputs_of(progress.plan.chunk_range(chunk)))


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_a_chunk_that_is_not_what_the_ledger_says_is_named(
    tmp_path: Path, compression: str
) -> None:
    paths = RunPaths(tmp_path)
    progress = written(paths, compression, 24)
    path = paths.arrays / chunk_key(progress.plan, 1)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    found = ChunkReader(paths, progress).read(1)
    assert isinstance(found, Damage)
    assert (found.kind, found.chunk) == (Kind.DAMAGED, 1)


def test_an_array_that_is_gone_is_named(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    progress = written(paths, "none", 24)
    (paths.arrays / "one/patches/zarr.json").unlink()
    with pytest.raises(DamageError, match="cannot be opened"):
        ChunkReader(paths, progress)
