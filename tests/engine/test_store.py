from __future__ import annotations

import json
import time
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

from ptyrun.engine.arm_plan import chunk_key, patches_path
from ptyrun.engine.durable_store import DurableStore
from ptyrun.engine.index_arrays import IndexArray, check_indices, read_index, write_index
from ptyrun.engine.store import (
    ChunkWriter,
    create_arrays,
    open_array,
)
from ptyrun.engine.sweep import sweep
from ptyrun.errors import DamageError, UsageError
from ptyrun.paths import RunPaths
from tests.engine.toys import SHAPE, frames, outputs_of, toy_manifest


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "run")


@pytest.mark.parametrize("compression", ["none", "lz4"])
@pytest.mark.parametrize("n_items", [32, 30])
def test_chunks_are_byte_for_byte_what_zarr_itself_writes(
    tmp_path: Path, compression: str, n_items: int
) -> None:
    manifest = toy_manifest(n_items, 8, compression=compression)
    arm = manifest.arms[0]
    ours, zarrs = RunPaths(tmp_path / "ours"), RunPaths(tmp_path / "zarrs")
    for each in (ours, zarrs):
        create_arrays(each, manifest)
    outputs = outputs_of(range(n_items))
    open_array(LocalStore(zarrs.arrays), patches_path(arm.name), "r+")[...] = outputs
    parts = {
        chunk: outputs[arm.chunk_range(chunk).start : arm.chunk_range(chunk).stop]
        for chunk in range(arm.n_chunks)
    }
    writer = ChunkWriter(ours, arm, compression)
    stored, _ = writer.write(parts)
    writer.close()
    for chunk in range(arm.n_chunks):
        key = chunk_key(arm, chunk)
        data = (ours.arrays / key).read_bytes()
        assert data == (zarrs.arrays / key).read_bytes()
        assert (stored[chunk].key, stored[chunk].length) == (key, len(data))
        assert stored[chunk].crc32c == f"{google_crc32c.value(data[:-4]):08x}"


def test_the_crc_of_all_stored_bytes_would_tell_nothing_apart(paths: RunPaths) -> None:
    manifest = toy_manifest(16, 8)
    create_arrays(paths, manifest)
    writer = ChunkWriter(paths, manifest.arms[0], "none")
    writer.write({0: outputs_of(range(8)), 1: outputs_of(range(8, 16))})
    writer.close()
    files = [(paths.arrays / chunk_key(manifest.arms[0], chunk)).read_bytes() for chunk in (0, 1)]
    assert files[0] != files[1]
    assert google_crc32c.value(files[0]) == google_crc32c.value(files[1])


def test_zeros_and_nans_are_written_and_missing_chunks_read_as_nan(paths: RunPaths) -> None:
    manifest = toy_manifest(32, 8)
    arm = manifest.arms[0]
    create_arrays(paths, manifest)
    writer = ChunkWriter(paths, arm, "none")
    nothing = np.zeros((8, *SHAPE), np.complex64)
    writer.write({0: nothing, 1: nothing * np.nan})
    writer.close()
    assert (paths.arrays / chunk_key(arm, 1)).exists()
    values = np.asarray(open_array(LocalStore(paths.arrays), patches_path("one"), "r")[...])
    assert not values[:8].any()
    assert np.isnan(values[16:].real).all() and np.isnan(values[16:].imag).all()


def test_the_helper_writes_even_a_chunk_equal_to_the_fill_value(paths: RunPaths) -> None:
    manifest = toy_manifest(16, 8)
    create_arrays(paths, manifest)
    array = open_array(LocalStore(paths.arrays), patches_path("one"), "r+")
    array[:8] = np.full((8, *SHAPE), complex(np.nan, np.nan), np.complex64)
    assert (paths.arrays / chunk_key(manifest.arms[0], 0)).exists()


def test_any_zarr_reader_finds_dimension_names_and_units(paths: RunPaths) -> None:
    create_arrays(paths, toy_manifest())
    array = zarr.open_group(paths.arrays, mode="r")["one/patches"]
    assert isinstance(array, zarr.Array)
    assert array.metadata.dimension_names == ("group", "y", "x")  # type: ignore[union-attr]
    assert dict(array.attrs) == {"units": "1"}


def test_creating_again_keeps_chunks_unless_the_array_is_another(paths: RunPaths) -> None:
    manifest = toy_manifest(16, 8)
    create_arrays(paths, manifest)
    chunk = paths.arrays / chunk_key(manifest.arms[0], 0)
    chunk.write_bytes(b"chunk")
    create_arrays(paths, manifest)
    assert chunk.exists()
    with pytest.raises(UsageError, match="not as planned"):
        create_arrays(paths, toy_manifest(16, 4))
    create_arrays(paths, toy_manifest(16, 4), replace=True)
    assert not chunk.exists()


def test_a_writer_refuses_an_array_that_is_not_as_planned(paths: RunPaths) -> None:
    manifest = toy_manifest()
    create_arrays(paths, manifest)
    metadata = paths.arrays / "one/patches/zarr.json"
    document = json.loads(metadata.read_text())
    document["chunk_key_encoding"]["configuration"]["separator"] = "/"
    metadata.write_text(json.dumps(document))
    with pytest.raises(DamageError, match="not as planned"):
        ChunkWriter(paths, manifest.arms[0], "none")


def test_a_chunk_too_large_for_one_file_is_refused_with_the_size_that_fits(
    paths: RunPaths,
) -> None:
    with pytest.raises(UsageError, match="at most 16383"):
        create_arrays(paths, toy_manifest(10**6, 10**6, shape=(128, 128)))


def test_an_unknown_compression_is_refused(paths: RunPaths) -> None:
    with pytest.raises(UsageError, match="zstd"):
        create_arrays(paths, toy_manifest(compression="zstd"))


def test_an_index_array_comes_back_and_its_digest_covers_all_of_it(paths: RunPaths) -> None:
    index = frames("one", 20)
    assert write_index(paths, index) == index.sha256
    values = read_index(paths, index.path, index.sha256)
    assert np.array_equal(values, index.values[:])
    others = [
        IndexArray(index.path, values + 1, index.dimension_names),
        IndexArray(index.path, values.astype(np.int32), index.dimension_names),
        IndexArray(index.path, values.reshape(40, 2), index.dimension_names),
        IndexArray(index.path, index.values, ("group", "other")),
        IndexArray(index.path, index.values, index.dimension_names, "pixel"),
    ]
    assert len({index.sha256, *(other.sha256 for other in others)}) == 6


def test_a_changed_index_array_is_refused_by_name(paths: RunPaths) -> None:
    index = frames("one", 20)
    digest = write_index(paths, index)
    write_index(paths, IndexArray(index.path, index.values[:][::-1], index.dimension_names))
    with pytest.raises(DamageError, match="index/one/frames"):
        check_indices(paths, {index.path: digest})


def test_an_empty_index_array_can_be_written(paths: RunPaths) -> None:
    index = IndexArray("index/one/none", np.zeros((0, 2)), ("group", "axis"))
    write_index(paths, index)
    assert read_index(paths, index.path, index.sha256).shape == (0, 2)


def test_left_overs_of_killed_writers_are_swept(paths: RunPaths) -> None:
    create_arrays(paths, toy_manifest())
    paths.cache.mkdir()
    left = [
        paths.arrays / "one/patches/c.0.0.0",
        paths.root / "results.json",
        paths.cache / "a.npy",
    ]
    for path in left:
        path.with_name(f"{path.name}.12345678.partial").touch()
    assert sweep(paths, ["one"], time.time()) == 0
    assert sweep(paths, ["one"], time.time() + 10**6) == len(left)


def test_a_missing_array_is_named(paths: RunPaths) -> None:
    paths.arrays.mkdir(parents=True)
    with pytest.raises(DamageError, match="one/patches"):
        open_array(DurableStore(paths.arrays), "one/patches", "r+")


def test_a_plan_that_the_disk_cut_short_is_completed(tmp_path: Path) -> None:
    paths, manifest = RunPaths(tmp_path), toy_manifest()
    create_arrays(paths, manifest)
    group = paths.arrays / "one/zarr.json"
    before = group.read_bytes()
    group.unlink()
    create_arrays(paths, manifest)
    assert group.read_bytes() == before
