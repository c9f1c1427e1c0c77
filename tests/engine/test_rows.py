"""Tables that are read and written some rows at a time: the same bytes as whole ones, or damage."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from ptyrun.engine import rows
from ptyrun.engine.index_arrays import IndexArray, open_index, read_index, write_index
from ptyrun.engine.rows import ComputedRows, RememberedRows, StoredRows
from ptyrun.errors import DamageError
from ptyrun.paths import RunPaths

PATH = "index/pinn/positions_px"
VALUES = np.random.default_rng(5).normal(size=(1000, 4, 2))
NAMES = ("group", "member", "axis")
CHUNK = "c.0.0.0"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    monkeypatch.setattr(rows, "BLOCK_ROWS", 96)
    return RunPaths(tmp_path)


def table() -> IndexArray:
    return IndexArray(PATH, VALUES, NAMES, "px")


def test_zarr_reads_a_table_that_was_written_in_blocks(paths: RunPaths) -> None:
    write_index(paths, table())
    array = zarr.open_array(paths.arrays, path=PATH, mode="r")
    assert np.asarray(array[...]).tobytes() == VALUES.tobytes()


def test_a_table_written_in_blocks_has_the_bytes_of_one_that_zarr_writes(paths: RunPaths) -> None:
    write_index(paths, table())
    here = paths.arrays / PATH / CHUNK
    in_blocks = here.read_bytes()
    here.unlink()
    zarr.open_array(paths.arrays, path=PATH, mode="r+")[...] = VALUES
    assert here.read_bytes() == in_blocks


@pytest.mark.parametrize("part", [slice(0, 1), slice(95, 300), slice(990, 2000), slice(7, 7)])
def test_rows_of_a_table_are_read_without_the_others(paths: RunPaths, part: slice) -> None:
    digest = write_index(paths, table())
    opened = open_index(paths, PATH, digest)
    assert isinstance(opened, StoredRows)
    assert opened[part].tobytes() == VALUES[part].tobytes()
    assert opened[part].shape == VALUES[part].shape


def test_of_small_reads_in_a_row_few_reach_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "REMEMBERED_ROWS", 64)
    asked: list[slice] = []

    def compute(part: slice) -> NDArray[np.float64]:
        asked.append(part)
        return VALUES[part]

    table = RememberedRows(ComputedRows(VALUES.shape, VALUES.dtype, compute))
    cuts = [*range(0, 1000, 3), 1000]
    for start, stop in pairwise(cuts):
        assert table[start:stop].tobytes() == VALUES[start:stop].tobytes()
    assert len(asked) <= 1 + -(-1000 // 62)
    assert table[100:900].tobytes() == VALUES[100:900].tobytes()
    assert table[7:7].shape == table[9:3].shape == (0, 4, 2)
    assert table[995:2000].tobytes() == VALUES[995:].tobytes()


def test_rows_that_are_computed_have_the_digest_of_those_that_are_there(paths: RunPaths) -> None:
    computed = ComputedRows(VALUES.shape, VALUES.dtype, lambda part: VALUES[part].copy())
    index = IndexArray(PATH, computed, NAMES, "px")
    assert index.sha256 == table().sha256 == write_index(paths, index)
    assert np.array_equal(read_index(paths, PATH, index.sha256), VALUES)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-9], "its file has 63995 bytes, not 64004"),
        (lambda data: data + b"\0", "bytes, not 64004"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "CRC"),
        (lambda data: data[:777] + bytes([data[777] ^ 1]) + data[778:], "CRC"),
    ],
    ids=["cut off", "longer", "another CRC", "another bit"],
)
def test_a_table_whose_file_changed_is_damaged(paths: RunPaths, change, why: str) -> None:  # type: ignore[no-untyped-def]
    digest = write_index(paths, table())
    here = paths.arrays / PATH / CHUNK
    here.write_bytes(change(here.read_bytes()))
    with pytest.raises(DamageError, match=PATH) as refused:
        open_index(paths, PATH, digest)
    assert why in refused.value.why


def test_a_table_whose_file_is_gone_or_a_folder_is_damaged(paths: RunPaths) -> None:
    digest = write_index(paths, table())
    here = paths.arrays / PATH / CHUNK
    here.unlink()
    with pytest.raises(DamageError, match=PATH):
        open_index(paths, PATH, digest)
    here.mkdir()
    with pytest.raises(DamageError, match=PATH):
        open_index(paths, PATH, digest)


def test_a_table_that_is_stored_otherwise_is_read_by_zarr(paths: RunPaths) -> None:
    digest = write_index(paths, table())
    shutil.rmtree(paths.arrays / PATH)
    zarr.create_array(
        paths.arrays,
        name=PATH,
        data=VALUES,
        chunks=(100, 4, 2),
        dimension_names=NAMES,
        attributes={"units": "px"},
    )
    opened = open_index(paths, PATH, digest)
    assert isinstance(opened, np.ndarray)
    assert np.array_equal(opened, VALUES)


def test_a_table_that_is_replaced_stays_for_its_reader_what_it_was(paths: RunPaths) -> None:
    opened = open_index(paths, PATH, write_index(paths, table()))
    write_index(paths, IndexArray(PATH, VALUES + 1, NAMES, "px"))
    assert np.array_equal(opened[100:900], VALUES[100:900])


def test_a_table_that_is_cut_off_while_it_is_read_is_damaged(paths: RunPaths) -> None:
    opened = open_index(paths, PATH, write_index(paths, table()))
    with (paths.arrays / PATH / CHUNK).open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(DamageError, match="cut off while"):
        opened[500:600]
