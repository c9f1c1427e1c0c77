"""How do Zarr's metadata and small arrays reach the disk for good?"""

from __future__ import annotations

import asyncio
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from ptyrun.host import durable


class DurableStore(LocalStore):
    """A `LocalStore` whose bytes are on disk for good before they get their name.

    The names are, too, once `sync` has returned. For metadata and small arrays.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._unsynced: set[Path] = set()

    async def _set(self, key: str, value: Buffer, exclusive: bool = False) -> None:
        if not self._is_open:
            await self._open()
        self._check_writable()
        await asyncio.to_thread(self._put, key, memoryview(value.as_buffer_like()), exclusive)

    def _put(self, key: str, data: memoryview, exclusive: bool) -> None:
        path = self.root / key
        if exclusive and path.exists():
            raise FileExistsError(path)
        durable.make_folder(self.root)
        with durable.storage_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        durable.publish(durable.write_partial(path, [data]), path)
        inside = len(path.parent.relative_to(self.root).parts)
        self._unsynced.update((path.parent, *path.parent.parents[:inside]))

    def sync(self) -> None:
        """Make the names of all that was written survive a power loss."""
        while self._unsynced:
            durable.fsync_folder(self._unsynced.pop())
