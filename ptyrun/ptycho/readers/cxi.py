"""How is a scan read from a CXI file (cxidb.org, versions 1.3 to 1.6)?"""

from __future__ import annotations

import re
from dataclasses import replace

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.cxi_geometry import read_geometry
from ptyrun.ptycho.readers.detector import (
    CorrectedFrames,
    Mask,
    mask_doubts,
    sampled,
    varying_mask,
)
from ptyrun.ptycho.readers.frame_kind import kind_of
from ptyrun.ptycho.readers.hdf5 import DAMAGE, MOST_TRIED, Hdf5File, Hdf5Frames, checked_stack
from ptyrun.ptycho.readers.positions import checked_positions
from ptyrun.ptycho.readers.probe_modes import split_modes, stacked_modes, variations_note
from ptyrun.ptycho.readers.scan import Scan, one_size
from ptyrun.ptycho.readers.units import Quantity, in_si
from ptyrun.texts import printable

_LAST = "entry_last"
_NUMBERED = re.compile(r"entry_(\d{1,18})")
_DETECTOR = re.compile(r"detector_\d+")
_FRAMES = ("data_1/data", "instrument_1/detector_1/data")
_TRANSLATIONS = (
    "data_1/translation",
    "sample_1/geometry_1/translation",
    "instrument_1/detector_1/translation",
)
_PROBES = ("instrument_1/source_1/probe", "instrument_1/source_1/illumination", "probe/data")
_FRAMES_AXIS = "translation"
_DARKS = ("data_dark", "dark")
_MASKS = ("mask", "pixel_mask")  # the second is NeXus'
# What frames might have to be divided by, and are not.
_NOT_APPLIED = ("data_white", "flatfield", "gain")

# Of the bits of a mask, the one that tells of a good pixel: it has signal above the background.
HAS_SIGNAL = 0x1000
# Dark frames that are this much above what was measured were subtracted before.
_SUBTRACTED = 0.5
# Positions nearer than this are one position, exposed again with an encoder's noise.
_SAME_PX = 1.5
_NEIGHBOURS = 9
# Of the whole scan's extent, by how much two tables of the same translations may differ.
_APART = 0.01

_Modes = NDArray[np.complex64] | None


def has_frames(file: Hdf5File) -> bool:
    """Whether frames lie where CXI has them, in any entry."""
    return any(found_in(file, entry, _FRAMES) is not None for entry in entries(file))


def entries(file: Hdf5File) -> list[str]:
    """Name the entries of a file, the one to prefer first: the last by its link, then the newest.

    Examples
    --------
    A file with entry_1, entry_2, entry_10 and a link entry_last gives entry_last, entry_10,
    entry_2, entry_1.
    """
    names = file.members("/")
    numbers = sorted(
        (int(found[1]), name) for name in names if (found := _NUMBERED.fullmatch(name))
    )
    newest = [name for _, name in reversed(numbers)][:MOST_TRIED]
    return [_LAST, *newest] if _LAST in names else newest


def read_cxi_scan(file: Hdf5File, intensity: bool = True) -> Scan:
    """Open a scan: frames, mask, and translations in metres turned into object pixels.

    The object's pixel is that of the far field, wavelength x distance / (N x detector pixel). A
    translation is the sample's, so the beam moves the other way on it. Positions are shifted so
    that the patches begin at pixel 0. Of several entries, ``entry_last`` is taken, else the newest
    that has frames and translations.

    Raises
    ------
    InputError
        If frames, translations or the geometry are missing or wrong.
    """
    entry, entry_notes = _scan_entry(file)
    frames = file.required(*_in(entry, _FRAMES))
    patch_px = checked_stack(file.path, frames)
    _require_frames_first(file, frames)
    n_frames = int(frames.shape[0])
    metres, moved_doubts = _translations_m(file, entry, n_frames)
    detector = _detector_of(file, entry, frames)
    geometry = read_geometry(file, entry, detector, patch_px)
    rows, columns = geometry.axes[:, : metres.shape[1]]
    along_y, along_x = -(metres @ rows), -(metres @ columns)
    pixel_m = geometry.pixel_m
    positions_px = checked_positions(
        file.path, along_x / pixel_m[1], along_y / pixel_m[0], n_frames
    )
    positions_px = positions_px - positions_px.min(axis=0) + patch_px / 2
    near_field, near_notes = _near_field(positions_px, patch_px)
    places = (detector, f"{entry}/data_1")
    bad, varying_doubts = _bad_pixels(file, _each(places, _MASKS), patch_px)
    raw = Hdf5Frames(file, frames, np.arange(n_frames))
    source = replace(raw, bad=bad)
    background, dark_notes, dark_doubts = _dark(file, places, source, patch_px, intensity)
    probe, weaker_modes, probe_notes = _probe(file, entry, patch_px)
    return Scan(
        path=file.path,
        positions_px=positions_px,
        patch_px=patch_px,
        source=source if background is None else CorrectedFrames(source, bad, background),
        intensity=intensity,
        probe=probe,
        near_field=near_field,
        notes=(
            f"CXI: {frames.name} is taken as {kind_of(intensity)}",
            *entry_notes,
            f"translations in metres, object pixel {pixel_m[0]:.4g} x {pixel_m[1]:.4g} m",
            *geometry.notes,
            "a CXI scan has no ground truth",
            *dark_notes,
            *probe_notes,
            *near_notes,
        ),
        weaker_modes=weaker_modes,
        # What the far field would give is not a size of a pixel in the near field.
        pixel_size_m=None if near_field else one_size(pixel_m),
        doubts=(
            *geometry.doubts,
            *mask_doubts(bad, Hdf5Frames(file, frames, np.arange(n_frames)), n_frames),
            *varying_doubts,
            *dark_doubts,
            *moved_doubts,
            *(
                f"{name} is there and is not applied to the frames"
                for name in _each(places, _NOT_APPLIED)
                if file.dataset(name) is not None
            ),
        ),
        energy_ev=geometry.energy_ev,
        distance_m=geometry.distance_m,
        bad_pixels=bad,
        entry=entry,
        beside=file.linked,
    )


def _in(entry: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{entry}/{name}" for name in names)


def _each(places: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{place}/{name}" for place in places for name in names)


def _detector_of(file: Hdf5File, entry: str, frames: h5py.Dataset) -> str:
    """Name the detector that frames are of: one of several, where they are a link to its data."""
    instrument = f"{entry}/instrument_1"
    for name in file.members(instrument)[:MOST_TRIED]:
        detector = f"{instrument}/{name}"
        if _DETECTOR.fullmatch(name) and file.dataset(f"{detector}/data") == frames:
            return detector
    return f"{instrument}/detector_1"


def found_in(file: Hdf5File, entry: str, *groups: tuple[str, ...]) -> h5py.Dataset | None:
    """Find the first of an entry's datasets by these names; None without one."""
    return file.dataset(*(name for names in groups for name in _in(entry, names)))


def _scan_entry(file: Hdf5File) -> tuple[str, tuple[str, ...]]:
    """Which entry holds the scan, and what to say of the others."""
    names = entries(file)
    framed = [name for name in names if found_in(file, name, _FRAMES) is not None]
    whole = [name for name in framed if _is_whole(file, name)]
    chosen = next(iter([*whole, *framed, *names, "entry_1"]))
    others = [name for name in framed if name not in (chosen, _LAST)]
    if chosen == _LAST:
        where = file.link_of(_LAST)
        return _LAST, (f"of several entries {_LAST} is taken, which is {where}",) if others else ()
    if not others:
        return chosen, ()
    left = f"; {names[0]} has not a translation for each frame" if names[0] != chosen else ""
    return chosen, (f"of {len(others) + 1} entries with frames {chosen} is taken{left}",)


def _require_frames_first(file: Hdf5File, frames: h5py.Dataset) -> None:
    """See that frames lie along the first axis, where the file names its axes.

    Source: cxidb.org, CXI file format, section on the attribute ``axes``.
    """
    try:
        said = np.asarray(frames.attrs.get("axes", "")).reshape(-1).tolist()
    except DAMAGE:
        return
    texts = (each.decode(errors="replace") if isinstance(each, bytes) else each for each in said)
    names = ":".join(map(str, texts)).lower().split(":")
    if _FRAMES_AXIS in names[1:]:
        raise InputError(
            f"{frames.name} of {file.path} has its frames along another axis than the first",
            why=f"its attribute axes is {printable(':'.join(names))!r:.60}",
            do="store the frames first, (n, N, N)",
        )


def _is_whole(file: Hdf5File, entry: str) -> bool:
    """Whether an entry has frames, and as many translations."""
    frames, moved = found_in(file, entry, _FRAMES), found_in(file, entry, _TRANSLATIONS)
    if frames is None or moved is None or not frames.size:
        return False
    return len(frames) in (moved.shape or ())


def _translations_m(
    file: Hdf5File, entry: str, n_frames: int
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Translations in metres, (n, 2) or (n, 3), x first, and what contradicts them."""
    there = [found for name in _in(entry, _TRANSLATIONS) if (found := file.dataset(name))]
    first = there[0] if there else file.required(*_in(entry, _TRANSLATIONS))
    taken = _metres_of(file, first, n_frames)
    doubts = []
    for other in there[1:]:
        if other == first or other.shape != first.shape:
            continue
        apart = _metres_of(file, other, n_frames) - taken
        if np.ptp(apart, axis=0).max() > _APART * np.ptp(taken, axis=0).max():
            doubts.append(
                f"{other.name} holds other translations than {first.name}, which are taken"
            )
    return taken, tuple(doubts)


def _metres_of(file: Hdf5File, found: h5py.Dataset, n_frames: int) -> NDArray[np.float64]:
    """Turn translations to (n, 2) or (n, 3); PyNX has the axis last that counts."""
    shape: tuple[int, ...] = found.shape or ()
    if found.dtype.kind in "fiu" and len(shape) == 2:
        is_first, is_last = (
            shape[here] == n_frames and shape[1 - here] in (2, 3) for here in (0, 1)
        )
        if is_first and is_last:
            raise InputError(
                f"the translations of {file.path} can be read two ways",
                why=f"they have shape {shape} for {n_frames} frames",
                do="give a scan of more frames",
            )
        if is_last or shape[1] in (2, 3):
            metres = in_si(file.path, found, file.read(found, ()), Quantity.LENGTH)
            return metres.T if is_last else metres
    raise InputError(
        f"the translations of {file.path} are not positions",
        why=f"they are {found.dtype} of shape {shape} for {n_frames} frames, not real of shape "
        "(n, 3) or (3, n)",
        do="give one translation (x, y, z) in metres per frame",
    )


def _bad_pixels(
    file: Hdf5File, names: tuple[str, ...], patch_px: int
) -> tuple[Mask | None, tuple[str, ...]]:
    """Which pixels the mask takes out: those of any frame with any bit that is not `HAS_SIGNAL`.

    Besides, what to say of masks that differ from frame to frame.

    Source: cxidb.org, CXI file format, section on masks.
    """
    found = file.dataset(*names)
    if found is None:
        return None, ()
    shape: tuple[int, ...] = found.shape or ()
    if found.dtype.kind not in "biuf" or shape[-2:] != (patch_px, patch_px) or len(shape) > 3:
        raise InputError(
            f"the mask of {file.path} does not fit its frames",
            why=f"{found.name} is {found.dtype} of shape {shape}, a frame {(patch_px, patch_px)}",
            do="store the frames' own mask, or leave it out",
        )
    bad, always = np.zeros((patch_px, patch_px), np.bool_), np.ones((patch_px, patch_px), np.bool_)
    for each in range(shape[0] if len(shape) == 3 else 1):
        values = file.read(found, (each,) if len(shape) == 3 else ())
        is_whole = values.dtype.kind in "iu" or (
            np.isfinite(values).all() and np.array_equal(values, np.rint(values))
        )
        if is_whole and values.itemsize > 1:
            values = values.astype(np.int64, copy=False) & ~HAS_SIGNAL
        bad |= values != 0
        always &= values != 0
    if bad.all():
        raise InputError(
            f"the mask of {file.path} takes every pixel out",
            why=f"no value of {found.name} says that a pixel is good: 0, or 0x1000 for signal",
            do="correct it (0 is good), or leave it out",
        )
    return (bad, varying_mask(bad, always)) if bad.any() else (None, ())


_Dark = tuple[NDArray[np.float32] | None, tuple[str, ...], tuple[str, ...]]


def _dark(
    file: Hdf5File, places: tuple[str, ...], source: Hdf5Frames, patch_px: int, intensity: bool
) -> _Dark:
    """The mean of dark frames (N, N), to be subtracted from counts; what to say of it."""
    found = file.dataset(*_each(places, _DARKS))
    if found is None:
        return None, (), ()
    shape: tuple[int, ...] = found.shape or ()
    fits = found.dtype.kind in "iuf" and shape[-2:] == (patch_px, patch_px) and len(shape) <= 3
    why = "" if fits else f"it is {found.dtype} of shape {shape}"
    if fits and not intensity:
        why = "frames are taken as amplitude"
    if not why:
        n_dark = shape[0] if len(shape) == 3 else 1
        mean = np.zeros((patch_px, patch_px))
        for each in range(n_dark):
            mean += file.read(found, (each,) if len(shape) == 3 else ()) / n_dark
        if not np.isfinite(mean).all() or (mean < 0).any():
            why = "it holds values that are not counts"
        elif not mean.any():
            return None, (), ()
        else:
            frames = source.read(sampled(len(source.order)))
            lit = mean > 0
            measured = frames.mean(axis=0, dtype=np.float64)
            if np.median(measured[lit] / mean[lit]) >= _SUBTRACTED:
                said = (
                    f"the mean of {n_dark} dark frames, {mean.mean():.4g} counts a "
                    f"pixel ({found.name}), is subtracted from every frame; at least 0 is left"
                )
                return mean.astype(np.float32), (said,), ()
            why = "frames are darker than it: it looks subtracted already"
    return None, (), (f"{found.name} is there and is not subtracted: {why}",)


def _near_field(positions_px: NDArray[np.float64], patch_px: int) -> tuple[bool, tuple[str, ...]]:
    """Whether the steps between different positions are too wide for far-field pixels.

    A far-field probe may fill half a frame at most; steps beyond that leave no overlap.
    """
    _, first = np.unique(np.rint(positions_px), axis=0, return_index=True)
    places = positions_px[first]
    if len(places) < 2:
        return False, ()
    steps = KDTree(places).query(places, k=min(len(places), _NEIGHBOURS))[0]
    steps = np.where(steps > _SAME_PX, steps, np.inf).min(axis=1)
    step_px = float(np.median(steps))
    if not np.isfinite(step_px):
        return False, ()
    if step_px <= patch_px / 2:
        return False, ()
    return True, (
        f"near field: steps of {step_px:.0f} far-field pixels would leave frames of {patch_px} px "
        "without overlap; far-field networks do not apply, and the pixel is not the true one",
    )


def _probe(file: Hdf5File, entry: str, patch_px: int) -> tuple[_Modes, _Modes, tuple[str, ...]]:
    found = found_in(file, entry, _PROBES)
    if found is None:
        return None, None, ()
    if found.dtype.kind != "c" or patch_px not in (found.shape or ()):
        why = f"it is {found.dtype} of shape {found.shape}, a frame {(patch_px, patch_px)}"
        return None, None, (f"the probe {found.name} is not used: {why}",)
    probe, weaker = split_modes(file.path, found.name, file.read(found, ()), patch_px=patch_px)
    return probe, weaker, variations_note(found.size, stacked_modes(probe, weaker))
