"""May an array that somebody else may have written be read into memory?

Zarr takes what a ``zarr.json`` says of shapes and codecs as given, and a chunk that is missing as
one full of the fill value: a few bytes can ask for all memory there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ptyrun.errors import SchemaError
from ptyrun.host import listing
from ptyrun.host.regular import read_regular
from ptyrun.host.typed_json import parse_object

MAX_BYTES = 2**33
MAX_METADATA_BYTES = 2**20
MAX_INFLATION = 1000  # no image shrinks to less, as zstd and blosc have it
_ITEMSIZE = {
    **{"bool": 1, "uint8": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4},
    **{"int64": 8, "uint64": 8, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16},
}


@dataclass(frozen=True)
class Planned:
    """What an array must be: one of NumPy's kinds, so many axes, perhaps as another one is."""

    kinds: str
    n_axes: int
    like: str | None = None


def read_array(store: Path, path: str, planned: Planned) -> NDArray[Any] | None:
    """Read an array of numbers whole, as Zarr of version 3; None if there is none.

    Raises
    ------
    SchemaError
        If it is not as planned, cannot be read, or asks for more memory than its files can hold.
    ForeignFileError
        If its metadata is not a regular file.
    """
    folder = store / path
    try:
        document = parse_object(read_regular(folder / "zarr.json", MAX_METADATA_BYTES))
        _check(document, folder)
        _compare(document, planned, store)
        array = zarr.open_array(folder, mode="r", zarr_format=3)
        return np.asarray(array[...])
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever Zarr and its codecs make of foreign metadata
        if isinstance(error, MemoryError):
            raise
        raise SchemaError(
            f"the array {store.name}/{path} cannot be read",
            why=f"{type(error).__name__}: {str(error)[:300]}",
            do="run `ptyrun finalize` again, or restore the folder",
        ) from error


def refuse_bombs(folder: Path) -> None:
    """See that an array asks for no more memory than its files can hold.

    Raises
    ------
    ValueError
        If it does, or its metadata are none.
    """
    try:
        _check(parse_object(read_regular(folder / "zarr.json", MAX_METADATA_BYTES)), folder)
    except (KeyError, TypeError) as error:
        raise ValueError(f"its zarr.json is not valid: {error!r:.200}") from error


def _compare(document: dict[str, Any], planned: Planned, store: Path) -> None:
    kind, shape = np.dtype(str(document["data_type"])).kind, document["shape"]
    if kind not in planned.kinds or len(shape) != planned.n_axes:
        raise ValueError(f"it has {document['data_type']!r:.80} in the shape {shape!r:.80}")
    if planned.like is not None:
        other = store / planned.like / "zarr.json"
        wanted = parse_object(read_regular(other, MAX_METADATA_BYTES))["shape"]
        if shape != wanted:
            raise ValueError(f"its shape is {shape!r:.80}, and {planned.like} has {wanted!r:.80}")


def _check(document: dict[str, Any], folder: Path) -> None:
    shape, chunks = document["shape"], document["chunk_grid"]["configuration"]["chunk_shape"]
    for sides in (shape, chunks):
        if not isinstance(sides, list) or not 0 < len(sides) <= 4:
            raise ValueError(f"its shape is {sides!r:.80}")
        if not all(type(side) is int and 0 <= side < 2**31 for side in sides):
            raise ValueError(f"its shape is {sides!r:.80}")
    itemsize = _ITEMSIZE.get(str(document["data_type"]))
    if itemsize is None:
        raise ValueError(f"it holds {document['data_type']!r:.80}")
    asked = itemsize * max(math.prod(shape), math.prod(chunks))
    stored = sum(f.stat().st_size for f in listing.files_below(folder) if f.name[0] == "c")
    if asked > min(MAX_BYTES, MAX_INFLATION * max(stored, 2**10)):
        raise ValueError(f"it asks for {asked} bytes, and its files have {stored}")
