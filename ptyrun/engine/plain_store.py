"""How are arrays read from a folder that somebody else may have filled?"""

from __future__ import annotations

from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from ptyrun.host import zarr_loop
from ptyrun.host.regular import refuse_foreign

zarr_loop.end_at_exit()


class PlainStore(LocalStore):
    """A `LocalStore` for reading: a key that is a link, a FIFO or a device is refused by name."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, read_only=True)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read a key; None if there is no such file."""
        refuse_foreign(self.root / key)
        return await super().get(key, prototype, byte_range)
