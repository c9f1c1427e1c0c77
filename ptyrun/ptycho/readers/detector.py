"""Which pixels of a detector were not measured, and what is added to those that were?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.frame_sources import middle_share
from ptyrun.ptycho.readers.saturation import is_saturated_spot, saturated
from ptyrun.ptycho.readers.scan import FrameSource, Scan

Mask = NDArray[np.bool_]

# What detectors write where they have no pixel: the largest integer of 16, 20, 31 or 32 bits,
# whatever type holds it now, and -1 or -2; in amplitudes, roots of the large ones. NumPy fills what
# is masked with 999999 or 1e20.
_NO_PIXEL = (2**16 - 1, 999_999, 2**20 - 1, 2**31 - 1, 2**32 - 1)
_NO_PIXEL_FLOAT = (
    *_NO_PIXEL,
    1e20,
    2.0**31,
    2.0**63,
    2.0**64,
    2.0**15.5,
    2.0**16,
    2.0**31.5,
    2.0**32,
)
_NO_PIXEL_SIGNED = (-1, -2)
SAMPLED_FRAMES = 8
_MOSTLY, _FEW, _MOST_SIGNAL = 0.9, 0.05, 0.6
# Of the signal, what lies in the middle half of both axes; evenly lit frames have a quarter there.
_LEAST_IN_MIDDLE = 0.1


@dataclass(frozen=True)
class CorrectedFrames:
    """Frames of *source* less a background (N, N), at least 0; zero at ``bad`` pixels (N, N)."""

    source: FrameSource
    bad: Mask | None = None
    background: NDArray[np.float32] | None = None

    def read(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        """Frames as they are used, shape (k, N, N)."""
        found = self.source.read(frames)
        if self.background is not None:
            found = np.maximum(found.astype(np.float32) - self.background, np.float32(0))
        if self.bad is not None:
            found[:, self.bad] = 0
        return found

    def check(self) -> None:
        """Compare the checksums of the frames, where the file has some."""
        self.source.check()


def without_gaps(scan: Scan) -> Scan:
    """Give the scan with pixels zero that no frame measured; name these, and saturated ones.

    They hold the largest integer of their type, or NaN, in each of eight frames spread over it.
    """
    frames = scan.source.read(sampled(scan.n_frames))
    bad, held = gaps(frames)
    if scan.bad_pixels is not None:
        bad &= ~scan.bad_pixels
    if bad.any() and is_saturated_spot(frames, bad, held):
        bad[:] = False
    known = bad if scan.bad_pixels is None else bad | scan.bad_pixels
    doubts = [doubt] if (doubt := saturated(frames, known)) else []
    if middle_share(np.where(known, 0, frames)) < _LEAST_IN_MIDDLE:
        doubts.append(
            "next to nothing of the signal lies in the middle of the frames, where their zero "
            "frequency should be: does it lie in the corner? (numpy.fft.fftshift moves it)"
        )
    if bad.any():
        values = ", ".join(f"{value:.10g}" for value in np.unique(held[bad])[:3])
        doubts.append(
            f"{int(bad.sum())} pixels hold {values} in every frame, as detectors write where they "
            f"have no pixel: {where(bad)}; they are taken as zero"
        )
        scan = scan.changed(source=CorrectedFrames(scan.source, bad), bad_pixels=known)
    return scan.changed(doubts=(*scan.doubts, *doubts)) if doubts else scan


def gaps(frames: Iterable[NDArray[Any]]) -> tuple[Mask, NDArray[Any]]:
    """Mark the pixels (N, N) that are in a gap of the detector in every frame (N, N).

    Returns
    -------
    bad : ndarray of bool, shape (N, N)
    first : ndarray, shape (N, N)
        What the first frame holds.

    Examples
    --------
    >>> frame = np.ones((2, 2), np.uint32)
    >>> frame[1, 0] = 2**32 - 1
    >>> gaps([frame, frame])[0].nonzero()
    (array([1]), array([0]))
    """
    taken = iter(frames)
    first = next(taken)
    bad = _is_no_pixel(first)
    for frame in taken:
        if not bad.any():
            break
        bad &= (frame == first) | ((frame != frame) & (first != first))
    return bad, first


def _is_no_pixel(frame: NDArray[Any]) -> Mask:
    if frame.dtype.kind == "f":
        with np.errstate(over="ignore"):  # half precision holds none of the large ones
            edges = np.array([*_NO_PIXEL_FLOAT, *_NO_PIXEL_SIGNED], np.float64).astype(frame.dtype)
        edges = edges[np.isfinite(edges)]
        return np.asarray(np.isin(frame, edges) | np.isnan(frame))
    most = int(np.iinfo(frame.dtype).max)
    edges = np.array([most, *(edge for edge in _NO_PIXEL if edge < most)], frame.dtype)
    if frame.dtype.itemsize < 2:
        edges = edges[:0]
    if frame.dtype.kind == "i":
        edges = np.array([*edges, *_NO_PIXEL_SIGNED], frame.dtype)
    return np.isin(frame, edges)


def sampled(n_frames: int) -> NDArray[np.int64]:
    """Take eight frames, evenly from the first to the last."""
    return np.unique(np.linspace(0, n_frames - 1, min(n_frames, SAMPLED_FRAMES)).astype(np.int64))


def where(bad: Mask) -> str:
    """Say in few words where pixels lie."""
    rows, columns = (np.flatnonzero(bad.any(axis=axis)) for axis in (1, 0))
    if len(columns) <= 3 and bad[:, columns].all():
        return f"column {', '.join(map(str, columns))}"
    if len(rows) <= 3 and bad[rows].all():
        return f"row {', '.join(map(str, rows))}"
    return f"within rows {rows[0]} to {rows[-1]} and columns {columns[0]} to {columns[-1]}"


def checked_bad_pixels(path: Path, name: str, values: NDArray[Any], side: int) -> Mask | None:
    """Give the pixels (N, N) that a file calls bad; None where there are none.

    Raises
    ------
    InputError
        If they are of another shape, no numbers, or all.
    """
    if values.shape != (side, side) or values.dtype.kind not in "biuf":
        raise InputError(
            f"{name} of {path} do not fit its frames",
            why=f"they are {values.dtype} of shape {values.shape}, a frame {(side, side)}",
            do="store the frames' own mask, or leave it out",
        )
    bad = np.asarray(values != 0)
    if bad.all():
        raise InputError(
            f"{name} of {path} take every pixel out",
            why="all of its values are true",
            do="correct them, or leave them out",
        )
    return bad if bad.any() else None


def varying_mask(ever: Mask, always: Mask) -> tuple[str, ...]:
    """Say so where masks (N, N) differ from frame to frame: *ever* bad ones are left out of all."""
    n_some = int((ever & ~always).sum())
    if not n_some:
        return ()
    return (
        f"the mask differs from frame to frame: {n_some} pixels that are bad in some frames are "
        "left out of all",
    )


def mask_doubts(bad: Mask | None, source: FrameSource, n_frames: int) -> tuple[str, ...]:
    """Say so where a mask leaves few pixels, or little of the signal: it may be one of good pixels.

    Parameters
    ----------
    bad : ndarray of bool, shape (N, N), optional
    source : FrameSource
        The frames as they were before the mask.
    n_frames : int
    """
    if bad is None:
        return ()
    share = float(bad.mean())
    if share >= _MOSTLY:
        return (f"the mask takes {share:.0%} of the pixels out: does it mark the good ones?",)
    if share < _FEW:
        return ()
    frames = source.read(sampled(n_frames)).astype(np.float64)
    # Roots, so that a few hot pixels do not outweigh all others.
    signal = np.sqrt(np.where(frames > 0, frames, 0)).sum(axis=0)
    lost = float(signal[bad].sum() / signal.sum()) if signal.sum() > 0 else 0.0
    if lost < _MOST_SIGNAL:
        return ()
    return (
        f"the mask takes {share:.0%} of the pixels out, and with them most of the signal: does it "
        "mark the good ones?",
    )
