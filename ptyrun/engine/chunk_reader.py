"""How are committed chunks read back, each the very bytes that the ledger names?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.config import Compression
from ptyrun.engine.arm_plan import chunk_key, patches_path
from ptyrun.engine.integrity import Damage, stored_bytes
from ptyrun.engine.plain_store import PlainStore
from ptyrun.engine.progress import ArmProgress
from ptyrun.engine.store import CRC_BYTES, open_array, patches_spec, read_metadata
from ptyrun.host import durable
from ptyrun.paths import RunPaths


class ChunkReader:
    """Reads one arm's committed chunks whole.

    What is checked is what is decoded: a chunk is read once. Chunks that are not compressed are
    taken as they lie there, which for small ones saves most of the time; Zarr decodes the others.

    Parameters
    ----------
    paths : RunPaths
    progress : ArmProgress
        What the ledger says of the arm.

    Raises
    ------
    DamageError
        If the array is missing or its metadata cannot be read.
    """

    def __init__(self, paths: RunPaths, progress: ArmProgress) -> None:
        plan = progress.plan
        self._paths = paths
        self._progress = progress
        self._plan = plan
        self._dtype = np.dtype(plan.dtype).newbyteorder("<")
        self._shape = (plan.chunk_items, *plan.item_shape)
        array = open_array(PlainStore(paths.arrays), patches_path(plan.name), "r")
        plain = patches_spec(plan, Compression.NONE)
        is_plain = read_metadata(paths, plain.path) == plain.metadata()
        self._zarr = None if is_plain else array

    def read(self, chunk: int) -> NDArray[Any] | Damage:
        """Outputs of a committed chunk, shape (items of the chunk, *item_shape), not to be changed.

        If the chunk is not what the ledger says, in what it differs.
        """
        data = stored_bytes(self._paths, self._progress, chunk)
        if isinstance(data, Damage):
            return data
        rows = self._plan.chunk_range(chunk)
        with durable.storage_errors(self._paths.arrays / chunk_key(self._plan, chunk), "read"):
            if self._zarr is not None:
                return np.asarray(self._zarr[rows.start : rows.stop])
        return data[:-CRC_BYTES].view(self._dtype).reshape(self._shape)[: len(rows)]
