"""Which scan is open already? One call that goes through several stages opens it once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from ptyrun.host.remembered import identity

if TYPE_CHECKING:
    from ptyrun.ptycho.readers.scan import Scan

    Opened = dict[tuple[str, str | None, Path | None, Path | None], Scan]

_KEPT: ContextVar[Opened | None] = ContextVar("scans", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Keep what is opened in here for whoever opens the same file, as it is, again in here."""
    before = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(before)


def opened(
    path: Path, kind: str | None, cache_dir: Path | None, links_below: Path | None = None
) -> Scan:
    """Open a scan, or give the one that is open; see `ptyrun.ptycho.readers.opening.open_scan`."""
    from ptyrun.ptycho.readers.opening import open_scan  # NumPy: `status` does without

    known = _KEPT.get()
    if known is None or not path.exists():
        return open_scan(path, kind, cache_dir, links_below)
    key = (identity(path.stat()), kind, cache_dir and cache_dir.absolute(), links_below)
    if key not in known:
        known[key] = open_scan(path, kind, cache_dir, links_below)
    return known[key]
