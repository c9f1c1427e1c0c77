"""Where do the arrays lie, and how are they written so that they survive?

Plain Zarr v3 below ``arrays.zarr``: one array of outputs per arm (``<arm>/patches``), one Zarr
chunk per chunk. The last codec is crc32c, and it is also what the ledger keeps of a chunk: the
checksum of the stored bytes before it. (Over all stored bytes the CRC would be one and the same
constant for every chunk: such is the CRC of any data followed by its own CRC.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import google_crc32c
import numpy as np
import zarr
from numcodecs.blosc import Blosc
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec
from zarr.core.array_spec import ArrayConfigParams
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore, MemoryStore

from ptyrun.config import Compression
from ptyrun.engine.arm_plan import ArmPlan, chunk_key, patches_path
from ptyrun.engine.durable_store import DurableStore
from ptyrun.engine.foreign_arrays import MAX_METADATA_BYTES
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import DamageError, GoneError, StorageError, UsageError
from ptyrun.host import durable, listing, trees, zarr_loop
from ptyrun.host.regular import read_bounded
from ptyrun.host.typed_json import parse_object
from ptyrun.paths import RunPaths

zarr_loop.end_at_exit()

ITEM_DIMENSION = "group"
LZ4 = {"cname": "lz4", "clevel": 5, "shuffle": Blosc.BITSHUFFLE, "blocksize": 0}
WRITE_THREADS = 8
CRC_BYTES = 4
ZARR_GROUP = {"attributes": {}, "zarr_format": 3, "node_type": "group"}
# Else a chunk equal to the fill value would not be written, and an existing one deleted.
WHOLE: ArrayConfigParams = {"write_empty_chunks": True}
MAX_CHUNK_BYTES = 2**31 - 1  # what blosc can take; and a chunk must fit in memory several times


@dataclass(frozen=True)
class Stored:
    """What was written under *key*: its length and the CRC-32C of all but the trailing CRC."""

    key: str
    length: int
    crc32c: str


@dataclass(frozen=True)
class _Written:
    """A chunk that is on disk for good, under a name that nothing reads."""

    stored: Stored
    partial: Path


def open_array(store: LocalStore, path: str, mode: Literal["r", "r+"]) -> zarr.Array[Any]:
    """Open an existing array; the one way in.

    Raises
    ------
    DamageError
        If it is missing or its metadata cannot be read.
    """
    try:
        array = zarr.open_array(store, path=path, mode=mode, zarr_format=3)
    except (
        *(FileNotFoundError, ValueError, KeyError, TypeError, AttributeError),
        *(ArithmeticError, RecursionError),
    ) as error:  # whatever Zarr makes of metadata that are none
        raise DamageError(
            f"the array {path} cannot be opened",
            why=f"{type(error).__name__}: {error}",
            do="run `ptyrun verify RUN --repair`",
        ) from error
    return array.with_config(WHOLE)


@dataclass(frozen=True)
class ArraySpec:
    """All that decides an array's metadata, so that it can be made, compared and restored."""

    path: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    dimension_names: tuple[str, ...]
    units: str
    compression: str

    def create(self, store: Store) -> zarr.Array[Any]:
        """Create the array, without data; what is written into it is written whole."""
        dtype = np.dtype(self.dtype)
        compressors: list[Any] = [Crc32cCodec()]
        if self.compression == Compression.LZ4:
            lz4 = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle", typesize=dtype.itemsize)
            compressors.insert(0, lz4)
        return zarr.create_array(
            store,
            name=self.path,
            shape=self.shape,
            chunks=self.chunks,
            dtype=dtype,
            serializer=BytesCodec(endian="little") if dtype.itemsize > 1 else BytesCodec(),
            compressors=compressors,
            filters=None,
            fill_value=_fill_value(dtype),
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=self.dimension_names,
            attributes={"units": self.units},
            config=WHOLE,
        )

    def metadata(self) -> dict[str, Any]:
        """Content of the ``zarr.json`` that `create` writes, as JSON reads it."""
        self.create(MemoryStore(kept := dict[str, Buffer]()))
        return dict(json.loads(kept[f"{self.path}/zarr.json"].to_bytes()))


def _fill_value(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "c":
        return dtype.type(complex(math.nan, math.nan))
    return dtype.type(math.nan) if dtype.kind == "f" else dtype.type(0)


def patches_spec(arm: ArmPlan, compression: str) -> ArraySpec:
    """Describe the array of an arm's outputs.

    Raises
    ------
    UsageError
        If a chunk is too large to be one Zarr chunk, or the compression is unknown.
    """
    chunk_bytes = arm.chunk_items * math.prod(arm.item_shape) * np.dtype(arm.dtype).itemsize
    if chunk_bytes > MAX_CHUNK_BYTES:
        fitting = arm.chunk_items * MAX_CHUNK_BYTES // chunk_bytes
        raise UsageError(
            f"a chunk of arm {arm.name!r} would take {chunk_bytes / 2**30:.1f} GiB",
            why=f"{arm.chunk_items} items are one chunk, held in memory and written as one file",
            do=f"use a chunk size of at most {fitting}",
        )
    if compression not in tuple(Compression):
        raise UsageError(
            f"unknown compression {compression!r}",
            why=f"known are {', '.join(Compression)}",
            do="choose one of these",
        )
    numbered = tuple(f"axis_{number}" for number in range(1, 1 + len(arm.item_shape)))
    inner = ("y", "x") if len(numbered) == 2 else numbered
    return ArraySpec(
        path=patches_path(arm.name),
        shape=(arm.n_items, *arm.item_shape),
        chunks=(arm.chunk_items, *arm.item_shape),
        dtype=arm.dtype,
        dimension_names=(ITEM_DIMENSION, *inner),
        units="1",
        compression=compression,
    )


def compression_of(manifest: Manifest) -> str:
    """Read the shared fact ``compression``; without one, chunks are not compressed."""
    return str(manifest.shared.get("compression", Compression.NONE))


def array_specs(manifest: Manifest) -> list[ArraySpec]:
    """Describe the arrays of outputs that a run has."""
    compression = compression_of(manifest)
    return [patches_spec(arm, compression) for arm in manifest.arms if arm.n_chunks]


def create_arrays(paths: RunPaths, manifest: Manifest, *, replace: bool = False) -> None:
    """Create the arrays of outputs, empty, on disk for good; those that are as planned stay.

    Parameters
    ----------
    paths : RunPaths
    manifest : Manifest
    replace : bool
        Remove an array, its chunks included, that is not as planned.

    Raises
    ------
    UsageError
        If an array is not as planned and *replace* is off.
    StorageError
        If the disk refuses.
    """
    durable.make_folder(paths.arrays)
    for spec in array_specs(manifest):
        found = read_metadata(paths, spec.path, is_decisive=True)
        if found == spec.metadata():
            _settle(paths, spec)
            continue
        if found is not None or listing.matching(paths.arrays / spec.path, "c.*"):
            if not replace:
                raise UsageError(
                    f"{paths.arrays / spec.path} exists and is not as planned",
                    why="it belongs to another configuration",
                    do="choose another output folder",
                )
            with durable.storage_errors(paths.arrays / spec.path, "remove"):
                trees.remove(paths.arrays / spec.path)
        _create(paths, spec)


def _settle(paths: RunPaths, spec: ArraySpec) -> None:
    """Complete and sync the groups around an array: its plan may have been killed, or refused."""
    for folder in [paths.arrays / group for group in reversed(Path(spec.path).parents)]:
        durable.make_folder(folder)
        if read_metadata(paths, str(folder)) != ZARR_GROUP:
            durable.write_atomic(folder / "zarr.json", json.dumps(ZARR_GROUP, indent=2).encode())
        durable.fsync_folder(folder)
    durable.fsync_folder(paths.arrays / spec.path)


def _create(paths: RunPaths, spec: ArraySpec) -> None:
    with durable.storage_errors(paths.arrays):
        store = DurableStore(paths.arrays)
        spec.create(store)
        store.sync()


def read_metadata(
    paths: RunPaths, path: str, *, is_decisive: bool = False
) -> dict[str, Any] | None:
    """Content of an array's or a zarr group's ``zarr.json``; None if missing or not JSON.

    With *is_decisive*, one that cannot be read is an error: chunks may be deleted for its content.
    """
    file = paths.arrays / path / "zarr.json"
    try:
        told = durable.storage_errors(file, "read") if is_decisive else durable.refusals(file)
        with told, file.open("rb") as stream:  # what is longer is no JSON, cut off
            return parse_object(read_bounded(stream, MAX_METADATA_BYTES))
    except (OSError, GoneError, ValueError, TypeError):
        return None


def require_planned(paths: RunPaths, arm: ArmPlan, compression: str) -> ArraySpec:
    """See that the array of an arm's outputs is there, as planned.

    Raises
    ------
    DamageError
        If it is not.
    """
    spec = patches_spec(arm, compression)
    if read_metadata(paths, spec.path) != spec.metadata():
        raise DamageError(
            f"the array {spec.path} is not as planned",
            why="its zarr.json is missing, damaged, or was changed",
            do="put the folder back if it was moved; else run `ptyrun verify RUN --repair`",
        )
    return spec


class ChunkWriter:
    """Writes whole chunks of one arm, byte for byte as Zarr would.

    Zarr's own way copies a chunk twice and takes half a millisecond on its event loop; here the
    outputs go to the disk from where they lie, neighbours at the same time, so that the file system
    syncs them as one.

    Parameters
    ----------
    paths : RunPaths
    arm : ArmPlan
    compression : str
    committed : callable, optional
        Asked right before chunks get their names: 1 for each that is committed by now. Its file is
        not touched.

    Raises
    ------
    DamageError
        If the array is missing or not as planned.
    """

    def __init__(
        self,
        paths: RunPaths,
        arm: ArmPlan,
        compression: str,
        committed: Callable[[], Sequence[int]] | None = None,
    ) -> None:
        spec = require_planned(paths, arm, compression)
        self._arm = arm
        self._committed = committed or (lambda: bytes(arm.n_chunks))
        self._root = paths.arrays
        self._folder = paths.arrays / spec.path
        self._shape = spec.chunks
        self._dtype = np.dtype(arm.dtype).newbyteorder("<")
        self._blosc = (
            Blosc(**LZ4, typesize=self._dtype.itemsize) if compression == Compression.LZ4 else None
        )
        self._pool = ThreadPoolExecutor(WRITE_THREADS, "ptyrun-disk")

    def write(
        self, outputs: Mapping[int, NDArray[Any]]
    ) -> tuple[dict[int, Stored], StorageError | None]:
        """Write chunks; they are on disk for good, names included, when this returns.

        Parameters
        ----------
        outputs : mapping of int to ndarray, shape (items of the chunk, *item_shape)
            By chunk; the last chunk of the arm may be shorter than the others.

        Returns
        -------
        stored : dict of int to Stored
            Those that were written.
        refusal : StorageError or None
            What the disk said to one of the others, if there are any.
        """
        put = self._pool.map if len(outputs) > 1 else map
        answers = dict(zip(outputs, put(self._try, outputs.keys(), outputs.values()), strict=True))
        written = {chunk: each for chunk, each in answers.items() if isinstance(each, _Written)}
        refusals = (each for each in answers.values() if isinstance(each, StorageError))
        try:
            self._publish(written)
        finally:
            for each in written.values():
                with suppress(OSError):
                    each.partial.unlink()
        return {chunk: each.stored for chunk, each in written.items()}, next(refusals, None)

    def _publish(self, written: dict[int, _Written]) -> None:
        """Give chunks their names, but for those that another worker committed meanwhile."""
        committed = self._committed()
        for chunk in [chunk for chunk in written if committed[chunk]]:
            written.pop(chunk).partial.unlink()
        for each in written.values():
            durable.publish(each.partial, self._root / each.stored.key)
        durable.fsync_folder(self._folder)

    def _try(self, chunk: int, values: NDArray[Any]) -> _Written | StorageError:
        try:
            return self._write(chunk, values)
        except StorageError as error:
            return error

    def _write(self, chunk: int, values: NDArray[Any]) -> _Written:
        key = chunk_key(self._arm, chunk)
        body = self._encoded(values)
        crc = google_crc32c.value(body)
        parts = (body.data, crc.to_bytes(CRC_BYTES, "little"))
        partial = durable.write_partial(self._root / key, parts)
        return _Written(Stored(key, body.nbytes + CRC_BYTES, f"{crc:08x}"), partial)

    def _encoded(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        whole = np.ascontiguousarray(values, self._dtype)
        if whole.shape != self._shape:
            whole = np.full(self._shape, _fill_value(self._dtype), self._dtype)
            whole[: len(values)] = values
        flat = whole.reshape(-1).view(np.uint8)
        return flat if self._blosc is None else np.frombuffer(self._blosc.encode(flat), np.uint8)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
