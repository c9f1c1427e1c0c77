"""What did plan compute once for the whole run, and is it still what it was?"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numpy.typing import NDArray

from ptyrun.engine.durable_store import DurableStore
from ptyrun.engine.foreign_arrays import refuse_bombs
from ptyrun.engine.plain_store import PlainStore
from ptyrun.engine.rows import Rows, StoredRows, blocks
from ptyrun.engine.store import CRC_BYTES, ArraySpec, open_array, read_metadata
from ptyrun.errors import DamageError, ForeignFileError
from ptyrun.host import durable, trees
from ptyrun.host.documents import canonical_json
from ptyrun.paths import RunPaths


@dataclass(frozen=True)
class IndexArray:
    """A table that plan computes once for the whole run.

    Parameters
    ----------
    path : str
        Below ``arrays.zarr``: ``index/<arm>/frames``, ``<arm>/positions_px``.
    values : Rows
    dimension_names : sequence of str
    units : str
    """

    path: str
    values: Rows
    dimension_names: Sequence[str]
    units: str = "1"

    @property
    def spec(self) -> ArraySpec:
        """Its description: one chunk, not compressed."""
        return _spec(
            self.path, self.values.shape, self.values.dtype, self.dimension_names, self.units
        )

    @property
    def sha256(self) -> str:
        """Digest over type, shape, dimension names, units and values."""
        values = self.values
        header = [str(values.dtype), values.shape, list(self.dimension_names), self.units]
        digest = hashlib.sha256(canonical_json(header).encode())
        for piece in _pieces(values):
            digest.update(piece)
        return digest.hexdigest()

    def stored(self) -> Iterator[bytes]:
        """Give the bytes of its only chunk, piece by piece, as Zarr would write them."""
        crc = 0
        for piece in _pieces(self.values):
            crc = google_crc32c.extend(crc, piece)
            yield piece
        yield crc.to_bytes(CRC_BYTES, "little")


def _spec(
    path: str, shape: tuple[int, ...], dtype: np.dtype[Any], names: Sequence[str], units: str
) -> ArraySpec:
    return ArraySpec(
        path=path,
        shape=shape,
        chunks=tuple(max(1, size) for size in shape),
        dtype=str(dtype),
        dimension_names=tuple(names),
        units=units,
        compression="none",
    )


def _pieces(values: Rows) -> Iterator[bytes]:
    little_end_first = values.dtype.newbyteorder("<")
    for block in blocks(values):
        yield block.astype(little_end_first, copy=False).tobytes()


def write_index(paths: RunPaths, index: IndexArray) -> str:
    """Write *index*, on disk for good, over what was there; return its digest."""
    durable.make_folder(paths.arrays)
    folder = paths.arrays / index.path
    with durable.storage_errors(folder):
        if folder.exists():
            trees.remove(folder)
        store = DurableStore(paths.arrays)
        index.spec.create(store)
        store.sync()
    if math.prod(index.values.shape):
        chunk = folder / _only_chunk(index.values.shape)
        durable.publish(durable.write_partial(chunk, index.stored()), chunk)
        durable.fsync_folder(folder)
    return index.sha256


def _only_chunk(shape: tuple[int, ...]) -> str:
    return ".".join(["c", *("0" for _ in shape)])


def read_index(paths: RunPaths, path: str, sha256: str | None = None) -> NDArray[Any]:
    """Read an index array whole; as `open_index`."""
    return open_index(paths, path, sha256)[:]


def open_index(paths: RunPaths, path: str, sha256: str | None = None) -> Rows:
    """Open an index array to read rows of it, once all of it was compared with its digest.

    One that lies there as it was planned is read where it lies; Zarr decodes any other, whole.

    Parameters
    ----------
    paths : RunPaths
    path : str
        Below ``arrays.zarr``.
    sha256 : str, optional
        What its digest must be.

    Raises
    ------
    DamageError
        If it is missing, unreadable, or its digest is another.
    """
    folder = paths.arrays / path
    with durable.storage_errors(folder, "read"):
        array = open_array(PlainStore(paths.arrays), path, "r")
    try:
        with durable.refusals(folder):
            refuse_bombs(folder)
            values: Rows
            if math.prod(array.shape) and metadata_is_whole(paths, path):
                values = StoredRows(folder / _only_chunk(array.shape), array.shape, array.dtype)
            else:
                values = np.asarray(array[...])
    except (ForeignFileError, ValueError, RuntimeError, OSError) as error:
        raise _damaged_index(path, str(error)) from error
    index = IndexArray(path, values, *_names_and_units(array, path))
    if sha256 is not None and index.sha256 != sha256:
        raise _damaged_index(path, "its digest is not the one in the manifest")
    return values


def _names_and_units(array: zarr.Array[Any], path: str) -> tuple[list[str], str]:
    try:
        names = array.metadata.dimension_names or ()  # type: ignore[union-attr]
        return [str(name) for name in names], str(array.attrs.get("units"))
    except (TypeError, AttributeError, KeyError) as error:  # no object where one belongs
        raise _damaged_index(path, f"its attributes are not valid: {error}") from error


def metadata_is_whole(paths: RunPaths, path: str) -> bool:
    """Tell whether an index array's ``zarr.json`` is, field by field, what plan wrote."""
    array = open_array(PlainStore(paths.arrays), path, "r")
    planned = _spec(path, array.shape, array.dtype, *_names_and_units(array, path))
    return read_metadata(paths, path) == planned.metadata()


def _damaged_index(path: str, why: str) -> DamageError:
    return DamageError(
        f"the index array {path} is damaged",
        why=why,
        do="run `ptyrun plan` again with this run's configuration: it restores the index",
    )


def check_indices(paths: RunPaths, sha256: Mapping[str, str]) -> None:
    """Read all index arrays named in *sha256*; raises as `open_index`."""
    for path, digest in sha256.items():
        open_index(paths, path, digest)
