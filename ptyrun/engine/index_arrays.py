"""What did plan compute once for the whole run, and is it still what it was?"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ptyrun.engine.durable_store import DurableStore
from ptyrun.engine.foreign_arrays import refuse_bombs
from ptyrun.engine.plain_store import PlainStore
from ptyrun.engine.store import ArraySpec, open_array, read_metadata
from ptyrun.errors import DamageError, ForeignFileError
from ptyrun.host import durable
from ptyrun.host.documents import canonical_json
from ptyrun.paths import RunPaths


@dataclass(frozen=True)
class IndexArray:
    """A small array that plan computes once for the whole run.

    Parameters
    ----------
    path : str
        Below ``arrays.zarr``: ``index/<arm>/frames``, ``<arm>/positions_px``.
    values : ndarray
    dimension_names : sequence of str
    units : str
    """

    path: str
    values: NDArray[Any]
    dimension_names: Sequence[str]
    units: str = "1"

    @property
    def spec(self) -> ArraySpec:
        """Its description: one chunk, not compressed."""
        shape = self.values.shape
        return ArraySpec(
            path=self.path,
            shape=shape,
            chunks=tuple(max(1, size) for size in shape),
            dtype=str(self.values.dtype),
            dimension_names=tuple(self.dimension_names),
            units=self.units,
            compression="none",
        )

    @property
    def sha256(self) -> str:
        """Digest over type, shape, dimension names, units and values."""
        values = np.ascontiguousarray(self.values)
        if sys.byteorder == "big":
            values = values.byteswap()
        header = [str(values.dtype), values.shape, list(self.dimension_names), self.units]
        digest = hashlib.sha256(canonical_json(header).encode())
        digest.update(values.data)
        return digest.hexdigest()


def write_index(paths: RunPaths, index: IndexArray) -> str:
    """Write *index*, on disk for good, over what was there; return its digest."""
    durable.make_folder(paths.arrays)
    folder = paths.arrays / index.path
    with durable.storage_errors(folder):
        if folder.exists():
            shutil.rmtree(folder)
        store = DurableStore(paths.arrays)
        index.spec.create(store)
        open_array(store, index.path, "r+")[...] = index.values
        store.sync()
    return index.sha256


def read_index(paths: RunPaths, path: str, sha256: str | None = None) -> NDArray[Any]:
    """Read an index array whole.

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
    with durable.storage_errors(paths.arrays / path, "read"):
        array = open_array(PlainStore(paths.arrays), path, "r")
    try:
        with durable.refusals(paths.arrays / path):
            refuse_bombs(paths.arrays / path)
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
    values = np.empty(array.shape, array.dtype)
    planned = IndexArray(path, values, *_names_and_units(array, path)).spec
    return read_metadata(paths, path) == planned.metadata()


def _damaged_index(path: str, why: str) -> DamageError:
    return DamageError(
        f"the index array {path} is damaged",
        why=why,
        do="run `ptyrun plan` again with this run's configuration: it restores the index",
    )


def check_indices(paths: RunPaths, sha256: Mapping[str, str]) -> None:
    """Read all index arrays named in *sha256*; raises as `read_index`."""
    for path, digest in sha256.items():
        read_index(paths, path, digest)
