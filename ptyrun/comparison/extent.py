"""How much disk, time and how many windows will a run take, and is there so much?"""

from __future__ import annotations

import math
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ptyrun.comparison.sources import Sources
from ptyrun.config import Compression
from ptyrun.durations import format_duration
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.progress import Progress
from ptyrun.engine.store import compression_of
from ptyrun.errors import StorageError, UsageError
from ptyrun.host import trees
from ptyrun.paths import RunPaths
from ptyrun.texts import counted

# Bytes per pixel of the object's grid and arm: object and coverage, aligned pair and where it is
# known; each once more where it is kept for later windows, and sums in double precision meanwhile.
_OBJECT_PX = 16 + 17
_KEPT_PX = _OBJECT_PX + 24
_ARCHIVE_PX = 2 * 16  # whole and aligned: complex, amplitude, phase
_COMPLEX64 = 8
_SPARE_BYTES = 1 << 19  # index tables, ledger, logs
_PICTURE_BYTES = 1 << 19  # of an arm: report, pictures
_VECTOR_BYTES = 1 << 18  # of an arm: pictures as SVG and PDF
_MAY_NOT_DO = "that may not be enough: free space, or choose an --output-dir on another disk"


class NoRoomError(StorageError):
    """The disk cannot hold the run; found before any work."""

    exit_code = UsageError.exit_code


@dataclass(frozen=True)
class Extent:
    """Bytes that a run takes on its disk: patches, results with what is kept of them, the scan.

    ``least`` is what it takes at the very least: whether patches can be compressed is not known.
    """

    arrays: int
    results: int
    unpacked: int
    least: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.arrays + self.results + self.unpacked + _SPARE_BYTES

    @classmethod
    def of(cls, manifest: Manifest, grid: tuple[int, int]) -> Extent:
        """Estimate; chunks are counted as they are stored without compression.

        Parameters
        ----------
        manifest : Manifest
        grid : (int, int)
            The object's grid in pixels.
        """
        arrays = sum(
            arm.n_chunks * arm.chunk_items * math.prod(arm.item_shape) * _COMPLEX64
            for arm in manifest.arms
        )
        sources = Sources.of(manifest)
        shown = sources.presentation
        archives = _ARCHIVE_PX if shown.save_npz or shown.save_npz_aligned else 0
        pixels, unpacked = len(manifest.arms) * math.prod(grid), _unpacked_bytes(sources.scan)
        pictures = _PICTURE_BYTES + (_VECTOR_BYTES if shown.vector_plots else 0)
        results = pixels * (_KEPT_PX + _OBJECT_PX + archives) + len(manifest.arms) * pictures
        is_certain = compression_of(manifest) == Compression.NONE
        least = unpacked + pixels * _OBJECT_PX + (arrays if is_certain else 0)
        return cls(arrays, results, unpacked, least)


def _unpacked_bytes(scan: Path) -> int:
    """What the compressed members of an NPZ take when they are unpacked into the cache."""
    try:
        with zipfile.ZipFile(scan) as archive:
            members = [m for m in archive.infolist() if m.compress_type != zipfile.ZIP_STORED]
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return 0
    return sum(member.file_size for member in members)


def require_room(
    paths: RunPaths, manifest: Manifest, grid: tuple[int, int], *, is_fresh: bool
) -> str:
    """See that the disk holds what the run lacks; say how much that is, in one line.

    Parameters
    ----------
    paths : RunPaths
        Its folder may not be there yet.
    manifest : Manifest
    grid : (int, int)
        The object's grid in pixels.
    is_fresh : bool
        Whether nothing that lies there is used.

    Raises
    ------
    NoRoomError
        If it surely does not; the error names what is needed and what is free.
    """
    extent = Extent.of(manifest, grid)
    needed = extent.total
    there = 0 if is_fresh else min(needed, _bytes_below(paths.arrays, paths.cache, paths.objects))
    free = shutil.disk_usage(_existing(paths.root)).free
    least = extent.least - there
    if least > free:
        raise NoRoomError(
            f"the disk of {paths.root} cannot hold this run",
            why=f"it takes at least {_shown(least)} more, and {_shown(free)} are free: "
            f"{_shown(least - free)} too few",
            do="free space, choose an --output-dir on another disk, or compare fewer groups",
        )
    already = f", {_shown(there)} of them there already" if there > _SPARE_BYTES else ""
    tight = f"; {_MAY_NOT_DO}" if needed - there > free else ""
    return f"on disk: about {_shown(needed)} when complete{already}; {_shown(free)} are free{tight}"


def _existing(folder: Path) -> Path:
    absolute = folder.absolute()
    return next(each for each in (absolute, *absolute.parents) if each.is_dir())


def outlook(progress: Progress, window_s: float | None) -> str | None:
    """Say how much work is left, and how many windows; None where nothing is left or known."""
    eta_s = progress.eta_s()
    if not eta_s:
        return None
    windows = progress.windows_left(eta_s, window_s, 0.0)
    more = (
        f", at least {counted(windows, 'window')} of {format_duration(window_s or 0)}"
        if windows
        else ""
    )
    return f"left to compute: about {format_duration(eta_s)}{more}"


def _bytes_below(*folders: Path) -> int:
    total = 0
    for folder in folders:
        for root, _, names in trees.walk(folder):
            for name in names:
                with suppress(OSError):
                    total += (root / name).stat().st_size
    return total


def _shown(n_bytes: int) -> str:
    size = float(n_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.{int(size < 10 and unit != 'B')}f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
